<?php
// What both releases of phpseclib do alike, with a connection $sftp and what logs in, $by.
declare(strict_types=1);

$sftp->login(getenv('LOGIN'), $by) || throw new RuntimeException('the log-in failed');
$sftp->chdir(getenv('ROOT'));
$sftp->enableDatePreservation();
[, $verb, $one, $two, $list] = [...$argv, '', ''];

function put(object $sftp, string $local, string $remote): bool
{
    return $sftp->put($remote, $local, $sftp::SOURCE_LOCAL_FILE);
}

function tree(object $sftp, string $local, string $remote): bool
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
