<?php
//: client: phpseclib 3
//: packages: php-cli php-phpseclib3
//: version: dpkg-query -W -f '${Version}' php-phpseclib3
//: modes: password key
//: times: up down
//: hint: `$sftp->enableDatePreservation()` keeps times; compare `getServerPublicHostKey()` with the known key before `login()`
declare(strict_types=1);

require_once 'phpseclib3/autoload.php';

use phpseclib3\Crypt\PublicKeyLoader;
use phpseclib3\Net\SFTP;

$sftp = new SFTP(getenv('HOST'), 22, 20);
$sftp->setPreferredAlgorithms(['hostkey' => ['ssh-ed25519']]);
str_contains(file_get_contents(getenv('KNOWN')), explode(' ', $sftp->getServerPublicHostKey())[1])
    || throw new RuntimeException('another host key');
$by = getenv('MODE') === 'key' ? PublicKeyLoader::load(file_get_contents(getenv('KEY'))) : getenv('PASSWORD');
$sftp->login(getenv('LOGIN'), $by) || throw new RuntimeException('the log-in failed');
$sftp->chdir(getenv('ROOT'));
$sftp->enableDatePreservation();
[, $verb, $one, $two, $list] = [...$argv, '', ''];

function put(SFTP $sftp, string $local, string $remote): bool
{
    return $sftp->put($remote, $local, SFTP::SOURCE_LOCAL_FILE);
}

function tree(SFTP $sftp, string $local, string $remote): bool
{
    $sftp->mkdir($remote);
    $done = true;
    foreach (array_diff(scandir($local), ['.', '..']) as $name) {
        [$from, $to] = ["$local/$name", "$remote/$name"];
        $done = (is_dir($from) ? tree($sftp, $from, $to) : put($sftp, $from, $to)) && $done;
    }
    return $done;
}

$done = match ($verb) {
    'list' => print(implode("\n", array_diff($sftp->nlist($one), ['.', '..'])) . "\n"),
    'put' => put($sftp, $one, $two),
    'get' => $sftp->get($one, $two),
    'rename' => $sftp->rename($one, $two),
    'delete' => $sftp->delete($one),
    'resume' => $sftp->get($one, fopen($two, 'a'), filesize($two)),
    'many' => !in_array(false, array_map(static fn($file) => put($sftp, $file, "$two/" . basename($file)), glob("$one/*"))),
    'tree' => tree($sftp, $one, $two),
    'tree-back' => !in_array(false, array_map(static function (string $name) use ($sftp, $one, $two): mixed {
        @mkdir(dirname("$two/$name"), 0777, true);
        return $sftp->get("$one/$name", "$two/$name");
    }, file($list, FILE_IGNORE_NEW_LINES))),
    default => exit(64),
};
exit($done ? 0 : 1);
