<?php
//: client: PHP functions ftp_*
//: packages: php-cli
//: version: php --version | head -n 1
//: modes: explicit
//: times: none
//: cannot certificate: PHP's extension never checks the certificate; who needs that uses SFTP with phpseclib
//: hint: `ftp_ssl_connect`, then `ftp_pasv($ftp, true)`; it cannot do implicit TLS
declare(strict_types=1);

error_reporting(E_ALL);
// At the end of the program it complains that the server ended the connection without a farewell of TLS.
set_error_handler(static fn(int $level, string $text): bool =>
    str_starts_with($text, 'PHP Request Shutdown') || throw new ErrorException($text));
$ftp = ftp_ssl_connect(getenv('HOST'), 21, 20);
ftp_login($ftp, getenv('LOGIN'), getenv('PASSWORD'));
ftp_pasv($ftp, true);
[, $verb, $one, $two, $list] = [...$argv, '', ''];

function tree(FTP\Connection $ftp, string $local, string $remote): void
{
    ftp_mkdir($ftp, $remote);
    foreach (array_diff(scandir($local), ['.', '..']) as $name) {
        is_dir("$local/$name") ? tree($ftp, "$local/$name", "$remote/$name")
            : ftp_put($ftp, "$remote/$name", "$local/$name");
    }
}

match ($verb) {
    'list' => ftp_chdir($ftp, $one) && print(implode("\n", ftp_nlist($ftp, '.')) . "\n"),
    'put' => ftp_put($ftp, $two, $one),
    'get' => ftp_get($ftp, $two, $one),
    'rename' => ftp_rename($ftp, $one, $two),
    'delete' => ftp_delete($ftp, $one),
    'resume' => ftp_get($ftp, $two, $one, FTP_BINARY, filesize($two)),
    'many' => array_map(static fn(string $file) => ftp_put($ftp, "$two/" . basename($file), $file), glob("$one/*")),
    'tree' => tree($ftp, $one, $two),
    'tree-back' => array_map(static function (string $name) use ($ftp, $one, $two): void {
        is_dir(dirname("$two/$name")) || mkdir(dirname("$two/$name"), 0777, true);
        ftp_get($ftp, "$two/$name", "$one/$name");
    }, file($list, FILE_IGNORE_NEW_LINES)),
    default => exit(64),
};
