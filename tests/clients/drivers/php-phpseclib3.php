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
require __DIR__ . '/phpseclib.php';
