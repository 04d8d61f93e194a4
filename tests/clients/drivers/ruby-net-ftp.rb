#: client: Ruby net-ftp
#: packages: ruby
#: version: ruby -e 'require "net/ftp"; puts Net::FTP::VERSION'
#: modes: explicit implicit
#: times: none
#: cannot all in implicit on debian12: its net-ftp 0.1 has no implicit TLS; use explicit TLS, or a newer net-ftp
#: said: Net::ReadTimeout
#: hint: `Net::FTP.new(host, ssl: {ca_file: FILE, verify_mode: OpenSSL::SSL::VERIFY_PEER}, ...)`
require "net/ftp"
require "fileutils"

options = { port: ENV["PORT"].to_i, username: ENV["LOGIN"], password: ENV["PASSWORD"], passive: true,
            ssl: { ca_file: ENV["CA"], verify_mode: OpenSSL::SSL::VERIFY_PEER }, open_timeout: 20, read_timeout: 20 }
options[:implicit_ftps] = true if ENV["MODE"] == "implicit"
ftp = Net::FTP.new(ENV["HOST"], **options)
ftp.chdir(ENV["ROOT"])
verb, one, two, names = ARGV

def tree(ftp, local, remote)
  ftp.mkdir(remote)
  Dir.children(local).each do |name|
    from, to = "#{local}/#{name}", "#{remote}/#{name}"
    File.directory?(from) ? tree(ftp, from, to) : ftp.putbinaryfile(from, to)
  end
end

case verb
when "list"
  ftp.chdir(one)
  puts ftp.nlst
when "put" then ftp.putbinaryfile(one, two)
when "get" then ftp.getbinaryfile(one, two)
when "rename" then ftp.rename(one, two)
when "delete" then ftp.delete(one)
when "resume"
  ftp.resume = true
  ftp.getbinaryfile(one, two)
when "many" then Dir.children(one).each { |name| ftp.putbinaryfile("#{one}/#{name}", "#{two}/#{name}") }
when "tree" then tree(ftp, one, two)
when "tree-back"
  File.readlines(names, chomp: true).each do |name|
    FileUtils.mkdir_p(File.dirname("#{two}/#{name}"))
    ftp.getbinaryfile("#{one}/#{name}", "#{two}/#{name}")
  end
else exit 64
end
