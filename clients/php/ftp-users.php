<?php
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

declare(strict_types=1);

namespace SecureFtp;

const USAGE = <<<'END'
Manage the users of an FTPS and SFTP server from anywhere.

    php ftp-users.php --host=HOST [OPTION...] VERB [NAME [...]]

Verbs: list; show, instructions, passwd, add, edit, del, lock, unlock NAME;
keys NAME [list], keys NAME add KEY, keys NAME del KEY (keys_add and keys_del NAME KEY are the same)

  --port=NUMBER            the SSH port (22)
  --user=NAME              the account for remote control (ftpcontrol)
  --key=FILE               the private key; default: those of the SSH agent
  --passphrase-stdin       read the passphrase of an encrypted key from the first line of standard input;
                           default: ask for it
  --known-hosts=FILE       the host keys (~/.ssh/known_hosts)
  --fingerprint=SHA256:... instead: the host key's fingerprint
  --timeout=SECONDS        for each step of connecting (20)
  --patience=SECONDS       how long to try again if the server is not reached, locked or busy (10)
  --json                   answer in JSON, as all verbs but instructions do anyway
  --password-stdin         passwd, add, edit: read the password from standard input; passwd and add ask for it otherwise
  --hash-stdin             passwd, add, edit: read a crypt(3) hash from standard input
  --password               edit: ask for a new password
  --no-password            add: only keys, for SFTP
  --protocol=PROTOCOL      add, edit: ftps, sftp or both; repeatable; default of add: both
  --access=ACCESS          add, edit: read_write, read_only or upload_only
  --umask=UMASK            add, edit: the umask of uploads, 0000 to 0077, or default
  --ftps-max-rate=RATE     add, edit: bytes a second over FTPS, such as 2M; 0 is no limit
  --comment=TEXT           add, edit: a line about the user
  --expires=DATE           add, edit: the first day without log-in, YYYY-MM-DD, or never
  --allowed-sources=LIST   add, edit: addresses and networks of log-ins, with commas; empty is everywhere
  --quota=BYTES            add, edit: the most bytes of the user, such as 10G; none is no limit
  --quota-files=NUMBER     add, edit: the most files and directories of the user; none is no limit
  --authorized-keys=FILE   add, edit: the complete list of public keys for SFTP
  --locked                 add: locked from the start
  --remove-home            del: delete the user's files too

Passwords and passphrases are never arguments: every local user can read those. The exit status is 0, that of the
error's code (docs/remote-control.md), 254 when a change was sent and no answer came, or 255 without a connection.

END;

/** The options, and whether they take a value. */
const OPTIONS = [
    'host' => true,
    'port' => true,
    'user' => true,
    'key' => true,
    'passphrase-stdin' => false,
    'known-hosts' => true,
    'fingerprint' => true,
    'timeout' => true,
    'patience' => true,
    'password-stdin' => false,
    'hash-stdin' => false,
    'password' => false,
    'no-password' => false,
    'protocol' => true,
    'access' => true,
    'umask' => true,
    'ftps-max-rate' => true,
    'comment' => true,
    'expires' => true,
    'allowed-sources' => true,
    'quota' => true,
    'quota-files' => true,
    'authorized-keys' => true,
    'locked' => false,
    'remove-home' => false,
    'json' => false,
    'help' => false,
];

/** The verbs, and the fields that are words of the command line. */
const VERBS = [
    'list' => [],
    'show' => ['name'],
    'instructions' => ['name'],
    'passwd' => ['name'],
    'add' => ['name'],
    'edit' => ['name'],
    'del' => ['name'],
    'lock' => ['name'],
    'unlock' => ['name'],
    'keys' => ['name'],
    'keys_add' => ['name', 'key'],
    'keys_del' => ['name', 'key'],
];

/** The verb of each action of "keys NAME", as the command on the server has it. */
const KEYS = ['list' => 'keys', 'add' => 'keys_add', 'del' => 'keys_del'];

const PROTOCOLS = ['ftps', 'sftp', 'both'];

/** Where the password of a request comes from. */
const PASSWORD_SOURCES = ['password-stdin', 'hash-stdin', 'password', 'no-password'];

/** How often two passwords may differ, as on the server. */
const ATTEMPTS = 3;

const INVALID = 2;
const UNKNOWN_OUTCOME = 254;
const NO_CONNECTION = 255;

/**
 * Asks on the terminal of the session, without echo, and gets the echo back however it ends. The answer is its output.
 * PHP cannot: it knows no way to switch the echo off, and Ctrl-C would leave it off.
 */
const ASK = <<<'END'
exec 3<>/dev/tty || exit 1
saved=$(stty -g <&3) || exit 1
trap 'stty "$saved" <&3; echo >&3' EXIT
trap 'exit 130' INT TERM
stty -echo <&3
printf %s "$1" >&3
IFS= read -r line <&3 && printf %s "$line"
END;

/**
 * @param list<string> $arguments
 * @return array{array<string, list<string>>, list<string>} the values of each option that is given, and the words
 */
function parse(array $arguments): array
{
    $options = $words = [];
    while ($arguments !== []) {
        $argument = array_shift($arguments);
        if ($argument === '--') {
            return [$options, [...$words, ...$arguments]];
        }
        if (!str_starts_with($argument, '-')) {
            $words[] = $argument;
            continue;
        }
        [$name, $value] = [...explode('=', substr($argument, 2), 2), null];
        if (!str_starts_with($argument, '--') || !isset(OPTIONS[$name])) {
            $known = array_map(static fn(string $option): string => "--$option", array_keys(OPTIONS));
            $word = (string) strtok($argument, '=');
            throw new \InvalidArgumentException("$word: no such option;" . didYouMean($word, $known) . ' --help shows the usage');
        }
        if (OPTIONS[$name]) {
            $value ??= array_shift($arguments);
        }
        if (OPTIONS[$name] !== ($value !== null)) {
            throw new \InvalidArgumentException("--$name: expected " . (OPTIONS[$name] ? 'a' : 'no') . ' value');
        }
        $options[$name][] = $value ?? '';
    }
    return [$options, $words];
}

/**
 * @param list<string> $known
 * @return string a question with the nearest known word, empty if none is near
 */
function didYouMean(string $word, array $known): string
{
    $near = [];
    foreach ($known as $one) {
        similar_text($word, $one, $near[$one]);
    }
    arsort($near);
    return reset($near) >= 60 ? ' did you mean ' . key($near) . '?' : '';
}

/**
 * @param list<string> $words
 * @return array{string, list<string>} the verb of the request and its words: what "keys NAME ACTION" means
 */
function keys(string $verb, array $words): array
{
    if ($verb !== 'keys' || count($words) < 2) {
        return [$verb, $words];
    }
    [$name, $action] = $words;
    $key = array_slice($words, 2);
    if (!isset(KEYS[$action])) {
        $meant = didYouMean($action, array_keys(KEYS));
        throw new \InvalidArgumentException("keys $name: expected list, add or del, found $action" . ($meant ? ";$meant" : ''));
    }
    if (($action === 'list') === ($key !== [])) {
        [$expected, $found] = $key !== [] ? ['no key', 'one'] : ['a key', 'none'];
        throw new \InvalidArgumentException("keys $name $action: expected $expected, found $found");
    }
    return [KEYS[$action], [$name, ...$key]];
}

/**
 * @param array<string, list<string>> $options
 * @param list<string> $words
 * @return array<string, mixed> the fields of the request
 */
function fields(string $verb, array $options, array $words): array
{
    $fields = [];
    foreach (VERBS[$verb] as $field) {
        if ($words === []) {
            throw new \InvalidArgumentException("$verb: expected " . strtoupper($field) . ', found nothing');
        }
        $fields[$field] = array_shift($words);
    }
    if ($words !== []) {
        throw new \InvalidArgumentException("$verb: expected nothing more, found " . count($words) . ' more words');
    }
    if (isset($options['protocol'])) {
        $unknown = array_diff($options['protocol'], PROTOCOLS);
        if ($unknown !== []) {
            throw new \InvalidArgumentException('--protocol: expected ftps, sftp or both, found ' . reset($unknown));
        }
        $fields['protocols'] = in_array('both', $options['protocol'], true) ? ['ftps', 'sftp'] : $options['protocol'];
    }
    foreach ($options['authorized-keys'] ?? [] as $file) {
        $lines = is_file($file) && is_readable($file) ? file($file, FILE_IGNORE_NEW_LINES) : false;
        if ($lines === false) {
            throw new \InvalidArgumentException("$file: expected public keys, found no file that can be read");
        }
        $keys = array_filter(array_map('trim', $lines), fn ($line) => $line !== '' && $line[0] !== '#');
        $fields['authorized_keys'] = array_values($keys);
    }
    foreach (['access', 'umask', 'ftps-max-rate', 'comment', 'expires', 'quota', 'quota-files'] as $option) {
        if (isset($options[$option])) {
            $fields[strtr($option, '-', '_')] = end($options[$option]);
        }
    }
    if (isset($options['allowed-sources'])) {
        $sources = preg_split('/[\\s,]+/', end($options['allowed-sources']), -1, PREG_SPLIT_NO_EMPTY);
        $fields['allowed_sources'] = $sources;
    }
    foreach (['locked' => 'locked', 'remove-home' => 'remove_home', 'no-password' => 'no_password'] as $option => $field) {
        if (isset($options[$option])) {
            $fields[$field] = true;
        }
    }
    return $fields + password(passwordSource($verb, $options), $fields['name'] ?? '');
}

/**
 * @param array<string, list<string>> $options
 * @return string one of PASSWORD_SOURCES; empty if the request has no password
 */
function passwordSource(string $verb, array $options): string
{
    $given = array_values(array_intersect(PASSWORD_SOURCES, array_keys($options)));
    if (count($given) > 1) {
        throw new \InvalidArgumentException("--$given[0]: not allowed with --$given[1]");
    }
    $source = $given[0] ?? (in_array($verb, ['add', 'passwd'], true) ? 'password' : '');
    if ($source === 'no-password' && ($options['protocol'] ?? []) !== ['sftp']) {
        throw new \InvalidArgumentException('--no-password: expected --protocol=sftp with it, since FTPS needs a password');
    }
    return $source;
}

/** @return array<string, string> the password or hash of the request; it is asked for if nothing else gives it */
function password(string $source, string $name): array
{
    return match ($source) {
        'password-stdin' => ['password' => secret('password')],
        'hash-stdin' => ['password_hash' => secret('password')],
        'password' => ['password' => newPassword($name)],
        default => [],
    };
}

/**
 * @param array<string, list<string>> $options
 * @return array<string, mixed> the options of FtpUsers
 */
function connection(array $options): array
{
    $connection = ['progress' => fn (string $text) => say($text), 'passphrase' => fn (string $file) => passphrase($file)];
    foreach (['user', 'key', 'fingerprint', 'known-hosts', 'port', 'timeout', 'patience'] as $name) {
        foreach ($options[$name] ?? [] as $value) {
            if (in_array($name, ['port', 'timeout', 'patience'], true)) {
                $number = filter_var($value, $name === 'port' ? FILTER_VALIDATE_INT : FILTER_VALIDATE_FLOAT);
                $value = $number !== false ? $number : throw new \InvalidArgumentException("--$name: expected a number");
            }
            $connection[strtr($name, '-', '_')] = $value;
        }
    }
    if (isset($options['passphrase-stdin'])) {
        $connection['passphrase'] = secret('passphrase');
    }
    return $connection;
}

/** The next line of standard input. */
function secret(string $what): string
{
    $line = rtrim((string) fgets(STDIN), "\r\n");
    return $line !== '' ? $line : throw new \InvalidArgumentException("standard input: expected a line with the $what, found none");
}

/** Asks for the passphrase of the key in $file. */
function passphrase(string $file): string
{
    if (!hasTerminal()) {
        throw new ConnectionException("$file: expected a terminal to ask for the passphrase of this key; use"
            . ' --passphrase-stdin, or an SSH agent instead of --key');
    }
    return ask('Passphrase of ' . visible($file) . ': ')
        ?? throw new ConnectionException("$file: expected an answer to the question for the passphrase, found none");
}

/** Asks for a password twice, in the words of the command on the server. */
function newPassword(string $name): string
{
    if (!hasTerminal()) {
        throw new \InvalidArgumentException('expected a terminal to ask for the password; use --password-stdin');
    }
    $none = fn() => throw new \InvalidArgumentException('expected an answer, found the end of the input');
    for ($attempt = 1; $attempt <= ATTEMPTS; $attempt++) {
        $password = ask('New password for ' . visible($name) . ': ') ?? $none();
        if ((ask('Repeat the password: ') ?? $none()) === $password) {
            return $password;
        }
        if ($attempt < ATTEMPTS) {
            say('The passwords differ; try again.');
        }
    }
    throw new \InvalidArgumentException('password: expected the same twice, found two different ones');
}

function hasTerminal(): bool
{
    return @fopen('/dev/tty', 'r+') !== false;
}

/** The answer to a question on the terminal, which does not show it; null if there was none. */
function ask(string $question): ?string
{
    $program = proc_open(['sh', '-c', ASK, 'sh', $question], [1 => ['pipe', 'w']], $pipes);
    $answer = $program !== false ? (string) stream_get_contents($pipes[1]) : '';
    return $program === false || proc_close($program) !== 0 ? null : $answer;
}

/** @param list<string> $arguments */
function main(array $arguments): int
{
    ini_set('display_errors', 'stderr'); // standard output is for the result
    try {
        [$options, $words] = parse($arguments);
        if (isset($options['help'])) {
            echo USAGE;
            return 0;
        }
        $verb = array_shift($words);
        if ($verb === null || !isset($options['host'])) {
            throw new \InvalidArgumentException('expected --host=HOST and a verb; --help shows the usage');
        }
        if (!isset(VERBS[$verb])) {
            $meant = didYouMean($verb, array_keys(VERBS));
            throw new \InvalidArgumentException("$verb: no such verb;$meant --help shows the usage");
        }
        $problem = load();
        if ($problem !== null) {
            say("error: $problem");
            return NO_CONNECTION;
        }
        [$verb, $words] = keys($verb, $words);
        return run($options, $verb, $words);
    } catch (\InvalidArgumentException | \JsonException $error) {
        say("error: {$error->getMessage()}");
        return INVALID;
    }
}

/** Load the class and phpseclib: through Composer if it started this program. What is wrong, if something is. */
function load(): ?string
{
    if (isset($GLOBALS['_composer_autoload_path'])) {
        require_once $GLOBALS['_composer_autoload_path'];
    }
    try {
        require_once __DIR__ . '/FtpUsers.php';
    } catch (\RuntimeException $error) {
        return $error->getMessage();
    }
    return null;
}

/**
 * @param array<string, list<string>> $options
 * @param list<string> $words
 */
function run(array $options, string $verb, array $words): int
{
    passwordSource($verb, $options); // what is wrong with the options is said before anything else
    try {
        $users = new FtpUsers(end($options['host']), connection($options));
        $users->loadKey();
        if ($verb === 'passwd' && $words !== []) { // nobody types a password twice for a user who is not there
            $users->show($words[0]);
        }
        $result = $users->call($verb === 'passwd' ? 'edit' : $verb, fields($verb, $options, $words));
        if ($verb === 'instructions' && !isset($options['json'])) {
            echo implode("\n", array_map(__NAMESPACE__ . '\visible', $result['instructions']['text'])), "\n";
        } else {
            echo json_encode($result, JSON_PRETTY_PRINT | JSON_UNESCAPED_SLASHES | JSON_THROW_ON_ERROR), "\n";
        }
        return 0;
    } catch (RequestException $error) {
        $status = FtpUsers::EXIT_CODES[$error->errorCode] ?? 1;
    } catch (OutcomeUnknownException $error) {
        $status = UNKNOWN_OUTCOME;
    } catch (FtpUsersException $error) {
        $status = NO_CONNECTION;
    }
    say("error: {$error->getMessage()}");
    return $status;
}

function say(string $text): void
{
    fwrite(STDERR, visible($text) . "\n");
}

/** The text with control and invisible characters written out: others may have chosen it. */
function visible(string $text): string
{
    $written = static fn(array $found): string => trim(json_encode($found[0], JSON_THROW_ON_ERROR), '"');
    return preg_replace_callback('/(?!\n)[\p{C}\p{Zl}\p{Zp}]/u', $written, $text) ?? addcslashes($text, "\0..\37\177..\377");
}

exit(main(array_slice($_SERVER['argv'], 1)));
