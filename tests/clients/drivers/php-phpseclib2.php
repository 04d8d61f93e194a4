<?php
//: client: phpseclib 2
//: packages: php-cli php-phpseclib
//: version: dpkg-query -W -f '${Version}' php-phpseclib
//: modes: password key
//: times: up down
//: cannot all in key: it knows keys of RSA only; use phpseclib 3, or a key of RSA of 2048 bits or more
//: said: this is no key of RSA
//: hint: `$sftp->enableDatePreservation()` keeps times; compare `getServerPublicHostKey()` with the known key before `login()`
declare(strict_types=1);

require_once 'phpseclib/autoload.php';

use phpseclib\Crypt\RSA;
use phpseclib\Net\SFTP;

$sftp = new SFTP(getenv('HOST'), 22, 20);
str_contains(file_get_contents(getenv('KNOWN')), explode(' ', $sftp->getServerPublicHostKey())[1])
    || throw new RuntimeException('another host key');
$by = getenv('PASSWORD');
if (getenv('MODE') === 'key') {
    $by = new RSA();
    $by->loadKey(file_get_contents(getenv('KEY'))) || throw new RuntimeException('this is no key of RSA');
}
require __DIR__ . '/phpseclib.php';
