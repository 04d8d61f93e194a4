<?php
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

declare(strict_types=1);

namespace SecureFtp;

require __DIR__ . '/FtpUsers.php';

const USAGE = <<<'END'
Manage the users of an FTPS and SFTP server from anywhere.

    php ftp-users.php --host=HOST [OPTION...] VERB [NAME [KEY]]

Verbs: list; show, add, edit, del, lock, unlock, keys NAME; keys_add, keys_del NAME KEY

  --port=NUMBER            the SSH port (22)
  --user=NAME              the account for remote control (ftpcontrol)
  --key=FILE               the private key; default: those of the SSH agent
  --known-hosts=FILE       the host keys (~/.ssh/known_hosts)
  --fingerprint=SHA256:... instead: the host key's fingerprint
  --password-stdin         add, edit: read the password from standard input
  --hash-stdin             add, edit: read a crypt(3) hash from standard input
  --no-password            add: only keys, for SFTP
  --protocol=ftps|sftp     add, edit: repeatable; default both
  --authorized-keys=FILE   add, edit: the complete list of public keys for SFTP
  --locked                 add: locked from the start
  --remove-home            del: delete the user's files too

Passwords are never arguments: every local user can read those. The exit status is 0, that of the error's code
(docs/remote-control.md), 254 when a change was sent and no answer came, or 255 without a connection.

END;

/** @return array<string, mixed> the fields of the request */
function fields(string $verb, array $options, array $words): array
{
    $fields = [];
    foreach (in_array($verb, ['keys_add', 'keys_del'], true) ? ['name', 'key'] : ($verb === 'list' ? [] : ['name']) as $field) {
        if ($words === []) {
            throw new \InvalidArgumentException("$verb: expected " . strtoupper($field) . ', found nothing');
        }
        $fields[$field] = array_shift($words);
    }
    if ($words !== []) {
        throw new \InvalidArgumentException("$verb: expected nothing more, found " . count($words) . ' more words');
    }
    foreach (['password-stdin' => 'password', 'hash-stdin' => 'password_hash'] as $option => $field) {
        if (isset($options[$option])) {
            $fields[$field] = rtrim((string) fgets(STDIN), "\r\n");
        }
    }
    if (isset($options['protocol'])) {
        $fields['protocols'] = (array) $options['protocol'];
    }
    if (isset($options['authorized-keys'])) {
        $lines = is_readable($options['authorized-keys']) ? file($options['authorized-keys'], FILE_IGNORE_NEW_LINES) : false;
        if ($lines === false) {
            throw new \InvalidArgumentException("{$options['authorized-keys']}: expected public keys, found no such file");
        }
        $keys = array_filter(array_map('trim', $lines), fn ($line) => $line !== '' && $line[0] !== '#');
        $fields['authorized_keys'] = array_values($keys);
    }
    foreach (['locked' => 'locked', 'remove-home' => 'remove_home', 'no-password' => 'no_password'] as $option => $field) {
        if (isset($options[$option])) {
            $fields[$field] = true;
        }
    }
    return $fields;
}

function main(array $arguments): int
{
    $known = ['host:', 'port:', 'user:', 'key:', 'known-hosts:', 'fingerprint:', 'protocol:', 'authorized-keys:'];
    $options = getopt('', [...$known, 'password-stdin', 'hash-stdin', 'no-password', 'locked', 'remove-home', 'help'], $rest);
    $words = array_slice($arguments, $rest);
    if (isset($options['help'])) {
        echo USAGE;
        return 0;
    }
    $verb = array_shift($words);
    if ($verb === null || $verb[0] === '-' || !isset($options['host'])) {
        fwrite(STDERR, USAGE);
        return FtpUsers::EXIT_CODES['invalid'];
    }
    try {
        $connection = array_intersect_key($options, array_flip(['user', 'key', 'fingerprint']));
        $connection += isset($options['port']) ? ['port' => (int) $options['port']] : [];
        $connection += isset($options['known-hosts']) ? ['known_hosts' => $options['known-hosts']] : [];
        $users = new FtpUsers($options['host'], $connection);
        $result = $users->call($verb, fields($verb, $options, $words));
        echo json_encode($result, JSON_PRETTY_PRINT | JSON_UNESCAPED_SLASHES | JSON_THROW_ON_ERROR), "\n";
        return 0;
    } catch (RequestException $error) {
        $status = FtpUsers::EXIT_CODES[$error->errorCode] ?? 1;
    } catch (OutcomeUnknownException $error) {
        $status = 254;
    } catch (FtpUsersException $error) {
        $status = 255;
    } catch (\InvalidArgumentException | \JsonException $error) {
        $status = FtpUsers::EXIT_CODES['invalid'];
    }
    fwrite(STDERR, 'error: ' . visible($error->getMessage()) . "\n");
    return $status;
}

/** The text with control and invisible characters written out: others may have chosen it. */
function visible(string $text): string
{
    $written = static fn(array $found): string => trim(json_encode($found[0], JSON_THROW_ON_ERROR), '"');
    return preg_replace_callback('/(?!\n)[\p{C}\p{Zl}\p{Zp}]/u', $written, $text) ?? addcslashes($text, "\0..\37\177..\377");
}

exit(main($argv));
