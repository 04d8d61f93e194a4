#: client: Ruby net-sftp
#: packages: ruby ruby-net-sftp
#: version: dpkg-query -W -f '${Version}' ruby-net-sftp
#: modes: password key
#: times: none
require "net/sftp"

options = { user_known_hosts_file: ENV["KNOWN"], global_known_hosts_file: [], verify_host_key: :always, timeout: 20,
            use_agent: false, config: false }
options.update(ENV["MODE"] == "password" ? { password: ENV["PASSWORD"], auth_methods: ["password"] }
                                         : { keys: [ENV["KEY"]], keys_only: true, auth_methods: ["publickey"] })
verb, one, two, names = ARGV
root = ENV["ROOT"]
Net::SFTP.start(ENV["HOST"], ENV["LOGIN"], **options) do |sftp|
  case verb
  when "list" then sftp.dir.foreach(root + one) { |entry| puts entry.name unless [".", ".."].include?(entry.name) }
  when "put" then sftp.upload!(one, root + two)
  when "get" then sftp.download!(root + one, two)
  when "rename" then sftp.rename!(root + one, root + two)
  when "delete" then sftp.remove!(root + one)
  when "resume"
    sftp.file.open(root + one, "r") do |there|
      there.pos = File.size(two)
      File.open(two, "ab") { |here| here.write(there.read) }
    end
  when "many" then Dir.children(one).each { |name| sftp.upload!("#{one}/#{name}", "#{root}#{two}/#{name}") }
  when "tree" then sftp.upload!(one, root + two, mkdir: true)
  when "tree-back" then sftp.download!(root + one, two, recursive: true)
  else exit 64
  end
end
