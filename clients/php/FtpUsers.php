<?php
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

/**
 * Manage the users of a secure_ftp.server from anywhere: a client of its remote control.
 *
 *     require 'FtpUsers.php';
 *     $users = new \SecureFtp\FtpUsers('files.example.net', ['key' => 'shop_key', 'known_hosts' => 'known_hosts']);
 *     $users->add('batman', ['password' => $password]);
 *
 * Needs PHP 8 and phpseclib 3 (Debian: php-phpseclib3), found through Composer's autoloader when there is one, else
 * in the system's include path. With Composer, the package of this directory loads this file. The protocol is
 * docs/remote-control.md of the collection.
 */

declare(strict_types=1);

namespace SecureFtp;

if (!class_exists(\phpseclib3\Net\SSH2::class)) {
    if (stream_resolve_include_path('phpseclib3/autoload.php') === false) {
        throw new \RuntimeException('expected phpseclib 3, found none; install it with composer require'
            . ' phpseclib/phpseclib:^3.0, or on Debian and Ubuntu with apt install php-phpseclib3');
    }
    require_once 'phpseclib3/autoload.php';
}

use phpseclib3\Crypt\Common\PrivateKey;
use phpseclib3\Crypt\PublicKeyLoader;
use phpseclib3\Net\SSH2;
use phpseclib3\System\SSH\Agent;

/** A call failed. */
class FtpUsersException extends \RuntimeException
{
}

/** The server's answer is an error: $errorCode is one of FtpUsers::EXIT_CODES. Nothing was changed. */
final class RequestException extends FtpUsersException
{
    public string $errorCode;

    public function __construct(string $errorCode, string $message)
    {
        parent::__construct($message);
        $this->errorCode = $errorCode;
    }
}

/**
 * There was no connection, or it ended before the request was sent: nothing was changed.
 *
 * The key cannot be used, the host does not resolve or answer, or it refuses the key.
 */
final class ConnectionException extends FtpUsersException
{
}

/** The request for a change was sent and no answer came: look with show() before asking again. */
final class OutcomeUnknownException extends FtpUsersException
{
}

/** The server is not who it should be. */
final class HostKeyException extends FtpUsersException
{
}

/** No TCP connection; the message is the predicate of "connection to HOST:PORT ...". Repeated while there is patience. */
final class NotReached extends \RuntimeException
{
}

/**
 * phpseclib's exec() with standard input for the command, which phpseclib does not offer.
 *
 * exec() asks for the next packet of its channel once the server has started the command; at that point this sends the
 * input, then the end of file (RFC 4254, 5.2 and 5.3). Everything else is phpseclib's.
 */
final class CommandWithInput extends SSH2
{
    private const MSG_CHANNEL_DATA = 94;
    private const MSG_CHANNEL_EOF = 96;

    private ?string $input = null;
    private bool $sent = false;

    /** @return string|bool what exec() returns */
    public function execWithInput(string $command, string $input)
    {
        $this->input = $input;
        $this->sent = false;
        try {
            return $this->exec($command);
        } finally {
            $this->input = null;
        }
    }

    /** Whether a byte of the last input may have left. */
    public function hasSent(): bool
    {
        return $this->sent;
    }

    protected function get_channel_packet($client_channel, $skip_extended = false)
    {
        $started = $client_channel === self::CHANNEL_EXEC
            && ($this->channel_status[self::CHANNEL_EXEC] ?? null) === self::MSG_CHANNEL_DATA;
        if ($started && $this->input !== null) {
            $input = $this->input;
            $this->input = null;
            $this->sent = true;
            $this->send_channel_packet(self::CHANNEL_EXEC, $input);
            $end = pack('CN', self::MSG_CHANNEL_EOF, $this->server_channels[self::CHANNEL_EXEC]);
            $this->send_binary_packet($end);
        }
        return parent::get_channel_packet($client_channel, $skip_extended);
    }
}

/** The host keys a server may have: those of a known_hosts file (sshd(8)), or one fingerprint. */
final class HostKeys
{
    /** Names of host keys in known_hosts, and of the signature algorithms that go with them, best first. */
    private const ALGORITHMS = [
        'ssh-ed25519' => ['ssh-ed25519'],
        'ecdsa-sha2-nistp256' => ['ecdsa-sha2-nistp256'],
        'ecdsa-sha2-nistp384' => ['ecdsa-sha2-nistp384'],
        'ecdsa-sha2-nistp521' => ['ecdsa-sha2-nistp521'],
        'ssh-rsa' => ['rsa-sha2-512', 'rsa-sha2-256'],
    ];

    /** @var array<string, list<string>> base64 keys by type */
    private array $keys = [];
    /** @var list<string> */
    private array $revoked = [];
    private ?string $fingerprint;

    public function __construct(string $host, int $port, ?string $knownHosts, ?string $fingerprint)
    {
        $this->fingerprint = $fingerprint;
        if ($fingerprint !== null) {
            if (!preg_match('#\ASHA256:[A-Za-z0-9+/]{43}=?\z#', $fingerprint)) {
                throw new HostKeyException("fingerprint: expected SHA256:... as ssh-keygen -lf shows it");
            }
            return;
        }
        // The file of ssh does not exist before the first host is known.
        $none = $knownHosts === null ? [] : false;
        $knownHosts ??= (getenv('HOME') ?: '') . '/.ssh/known_hosts';
        $lines = is_file($knownHosts) ? file($knownHosts, FILE_IGNORE_NEW_LINES) : $none;
        if ($lines === false) {
            throw new HostKeyException("$knownHosts: expected a known_hosts file, found none that can be read");
        }
        $name = $port === 22 ? $host : "[$host]:$port";
        foreach ($lines as $line) {
            $this->take(preg_split('/\s+/', trim($line)) ?: [], strtolower($name));
        }
        if ($this->keys === []) {
            $scan = 'ssh-keyscan ' . ($port === 22 ? '' : "-p $port ") . "$host >>$knownHosts";
            throw new HostKeyException("$host:$port: expected a known host key, found none in $knownHosts; add it with"
                . " $scan, then compare the output of ssh-keygen -lf $knownHosts with that of ftp-users about"
                . ' on the server');
        }
    }

    /**
     * The signature algorithms to ask the server for, so that it shows a key that is known; null for any.
     *
     * @return list<string>|null
     */
    public function algorithms(): ?array
    {
        $known = array_intersect_key(self::ALGORITHMS, $this->keys);
        return $this->fingerprint !== null ? null : array_merge([], ...array_values($known));
    }

    /** Whether $key ("TYPE BASE64", as SSH2::getServerPublicHostKey gives it) is the host's. */
    public function accepts(string $key): bool
    {
        $encoded = explode(' ', $key)[1] ?? '';
        $blob = base64_decode($encoded, true);
        if ($blob === false || $blob === '' || in_array($encoded, $this->revoked, true)) {
            return false;
        }
        if ($this->fingerprint !== null) {
            $found = 'SHA256:' . rtrim(base64_encode(hash('sha256', $blob, true)), '=');
            return hash_equals(rtrim($this->fingerprint, '='), $found);
        }
        return in_array($encoded, array_merge([], ...array_values($this->keys)), true);
    }

    /** @param list<string> $words */
    private function take(array $words, string $name): void
    {
        $marker = ($words[0][0] ?? '') === '@' ? array_shift($words) : '';
        [$names, $type, $key] = array_pad($words, 3, '');
        if ($key === '' || $names[0] === '#' || !self::matches($names, $name)) {
            return;
        }
        if ($marker === '@revoked') {
            $this->revoked[] = $key;
        } elseif ($marker === '' && isset(self::ALGORITHMS[$type])) {
            $this->keys[$type][] = $key;
        }
    }

    private static function matches(string $names, string $name): bool
    {
        if (preg_match('#\A\|1\|([^|]+)\|(.+)\z#', $names, $hashed)) {
            $digest = hash_hmac('sha1', $name, (string) base64_decode($hashed[1]), true);
            return hash_equals((string) base64_decode($hashed[2]), $digest);
        }
        $found = false;
        foreach (explode(',', strtolower($names)) as $pattern) {
            $negated = ($pattern[0] ?? '') === '!';
            // The patterns of ssh know * and ? only.
            $expression = strtr(preg_quote(ltrim($pattern, '!'), '#'), ['\*' => '.*', '\?' => '.']);
            if (preg_match("#\\A$expression\\z#", $name)) {
                if ($negated) {
                    return false;
                }
                $found = true;
            }
        }
        return $found;
    }
}

/** The file of a private key, and what is wrong with it. */
final class KeyFile
{
    /**
     * @param string|callable(string): string|null $passphrase of the key, or what gets the file's name and returns it,
     *     called only if the key is encrypted
     */
    public static function load(string $file, string|callable|null $passphrase): PrivateKey
    {
        $text = is_file($file) && is_readable($file) ? file_get_contents($file) : false;
        if ($text === false) {
            $found = is_dir($file) ? 'a directory' : (is_file($file) ? 'a file that cannot be read' : 'no such file');
            throw new ConnectionException("$file: expected a private key, found $found");
        }
        if (preg_match('/\A(ssh-|ecdsa-)/', $text)) {
            throw new ConnectionException("$file: expected a private key, found a public key; the private one is in the"
                . ' file without .pub');
        }
        if (!self::isEncrypted($text)) {
            return self::parse($text, null) ?? throw new ConnectionException("$file: expected a private key, found"
                . " something else, or a key that is broken; ssh-keygen -y -f $file reads it if it is whole");
        }
        if ($passphrase === null) {
            throw new ConnectionException("$file: expected the passphrase of this encrypted key, found none");
        }
        $given = is_string($passphrase) ? $passphrase : $passphrase($file);
        return self::parse($text, $given)
            ?? throw new ConnectionException("$file: expected the passphrase of this key, found a wrong one;"
                . ' phpseclib before 3.0.15 reads no encrypted keys');
    }

    private static function parse(string $text, ?string $passphrase): ?PrivateKey
    {
        // Over a broken key phpseclib stumbles with warnings and with errors of PHP, too.
        set_error_handler(static fn(): bool => true);
        try {
            return PublicKeyLoader::loadPrivateKey($text, $passphrase ?? false);
        } catch (\Throwable) {
            return null;
        } finally {
            restore_error_handler();
        }
    }

    private static function isEncrypted(string $text): bool
    {
        if (!str_contains($text, 'BEGIN OPENSSH PRIVATE KEY')) {
            // PEM: "Proc-Type: 4,ENCRYPTED" or "BEGIN ENCRYPTED PRIVATE KEY"; PuTTY: "Encryption: aes256-cbc".
            return str_contains($text, 'ENCRYPTED') || preg_match('/^Encryption: (?!none)/m', $text);
        }
        // PROTOCOL.key of OpenSSH: the magic, then the length and the name of the cipher.
        $body = (string) base64_decode((string) preg_replace('/-----[^-]+-----|\s/', '', $text));
        return str_starts_with($body, "openssh-key-v1\0") && substr($body, 15, 8) !== "\0\0\0\4none";
    }
}

/** A connection to the server, made at the first call and kept. */
final class FtpUsers
{
    public const EXIT_CODES = [
        'failed' => 1,
        'invalid' => 2,
        'no_such_user' => 3,
        'exists' => 4,
        'locked' => 5,
        'not_permitted' => 6,
        'damaged' => 7,
        'busy' => 8,
    ];

    /** Seconds for which a call is repeated while nothing was changed by it. */
    public const PATIENCE = 10;

    private const VERSION = 1;
    private const SUBJECT = 'ftp-users';
    private const READS = ['list', 'show', 'instructions', 'keys'];
    private const DEFAULTS = [
        'port' => 22,
        'user' => 'ftpcontrol',
        'key' => null,
        'passphrase' => null,
        'known_hosts' => null,
        'fingerprint' => null,
        'timeout' => 20,
        'answer_timeout' => 150,
        'patience' => self::PATIENCE,
        'progress' => null,
    ];

    private string $host;
    /** @var array<string, mixed> */
    private array $options;
    private string $place;
    private ?PrivateKey $key = null;
    private ?CommandWithInput $ssh = null;
    private float $deadline = 0.0;
    private float $pause = 0.0;
    private float $silentUntil = 0.0;

    /**
     * @param array<string, mixed> $options port; user; key: the file of the private key, read once before the first
     *     connection, by default those of the SSH agent; passphrase of the key, or a function that gets the name of the
     *     file and returns it, called only if the key is encrypted; known_hosts: a file, by default ~/.ssh/known_hosts,
     *     or instead of it fingerprint: "SHA256:..."; in seconds: timeout for each step of connecting, answer_timeout
     *     for the answer, patience for what a call repeats if nothing was changed: connecting, reads, and requests that
     *     a busy server has not begun; progress: a function that gets a line of text when a repetition waits
     */
    public function __construct(string $host, array $options = [])
    {
        $unknown = array_diff_key($options, self::DEFAULTS);
        if ($unknown !== []) {
            throw new \InvalidArgumentException('unknown option ' . implode(', ', array_keys($unknown)));
        }
        $this->host = $host;
        $this->options = $options + self::DEFAULTS;
        $port = $this->options['port'];
        if ($host === '') {
            throw new \InvalidArgumentException('host: expected a name or an address, found nothing');
        }
        if (!is_int($port) || $port < 1 || $port > 65535) {
            throw new \InvalidArgumentException("port: expected 1 to 65535, found $port");
        }
        if (!($this->options['patience'] >= 0)) {
            throw new \InvalidArgumentException("patience: expected 0 or more seconds, found {$this->options['patience']}");
        }
        $this->place = str_contains($host, ':') ? "[$host]:$port" : "$host:$port";
    }

    /** @return list<array<string, mixed>> all users */
    public function list(): array
    {
        return $this->call('list')['users'];
    }

    /** @return array<string, mixed> one user */
    public function show(string $name): array
    {
        return $this->call('show', ['name' => $name])['user'];
    }

    /** @return array<string, mixed> what to tell a user, never a password: ways, may, and both as text */
    public function instructions(string $name): array
    {
        return $this->call('instructions', ['name' => $name])['instructions'];
    }

    /**
     * @param array<string, mixed> $fields password, password_hash or no_password, protocols, authorized_keys, locked,
     *     access, umask, ftps_max_rate, comment, expires, allowed_sources, quota, quota_files
     * @return array<string, mixed> changed, user, warnings
     */
    public function add(string $name, array $fields = []): array
    {
        return $this->call('add', ['name' => $name] + $fields);
    }

    /**
     * @param array<string, mixed> $fields password or password_hash, protocols, authorized_keys,
     *     access, umask, ftps_max_rate, comment, expires, allowed_sources, quota, quota_files
     * @return array<string, mixed> changed, user, warnings
     */
    public function edit(string $name, array $fields): array
    {
        return $this->call('edit', ['name' => $name] + $fields);
    }

    /** @return array<string, mixed> changed, user, warnings */
    public function delete(string $name, bool $removeHome = false): array
    {
        return $this->call('del', ['name' => $name, 'remove_home' => $removeHome]);
    }

    /** @return array<string, mixed> changed, user, warnings */
    public function lock(string $name): array
    {
        return $this->call('lock', ['name' => $name]);
    }

    /** @return array<string, mixed> changed, user, warnings */
    public function unlock(string $name): array
    {
        return $this->call('unlock', ['name' => $name]);
    }

    /** @return list<string> the public keys of a user */
    public function keys(string $name): array
    {
        return $this->call('keys', ['name' => $name])['keys'];
    }

    /** @return array<string, mixed> changed, user, warnings */
    public function addKey(string $name, string $key): array
    {
        return $this->call('keys_add', ['name' => $name, 'key' => $key]);
    }

    /** @return array<string, mixed> changed, user, warnings */
    public function deleteKey(string $name, string $key): array
    {
        return $this->call('keys_del', ['name' => $name, 'key' => $key]);
    }

    /**
     * Send one request and return the result.
     *
     * @param array<string, mixed> $fields
     * @return array<string, mixed>
     * @throws RequestException|ConnectionException|OutcomeUnknownException|HostKeyException
     */
    public function call(string $verb, array $fields = []): array
    {
        $flags = JSON_THROW_ON_ERROR | JSON_UNESCAPED_SLASHES;
        $request = json_encode(['version' => self::VERSION, 'verb' => $verb] + $fields, $flags);
        $this->deadline = microtime(true) + $this->options['patience'];
        $this->pause = 0.25;
        $this->silentUntil = 0.0;
        while (true) {
            $answer = $this->exchange($verb, $request);
            if ($answer === null) {
                continue;
            }
            if ($answer['ok']) {
                return $answer['result'];
            }
            // Another program had the lock, or there were too many requests. Nothing was done: even a change may be repeated.
            ['code' => $code, 'message' => $message] = $answer['error'];
            if (!in_array($code, ['locked', 'busy'], true) || !$this->another("$this->place: $message")) {
                throw new RequestException($code, $message);
            }
        }
    }

    /** Read the key now, not at the first call; ConnectionException if it cannot be used. */
    public function loadKey(): void
    {
        if ($this->options['key'] !== null) {
            $this->key ??= KeyFile::load($this->options['key'], $this->options['passphrase']);
        } else {
            $this->agent();
        }
    }

    /** End the connection; the next call makes a new one. */
    public function close(): void
    {
        if ($this->ssh !== null) {
            $this->ssh->disconnect();
            $this->ssh = null;
        }
    }

    /** @return array<string, mixed>|null the answer, or null if the request can and should be sent again */
    private function exchange(string $verb, string $request): ?array
    {
        $sent = false;
        try {
            $ssh = $this->ssh ??= $this->connect();
            $ssh->setTimeout($this->options['answer_timeout']);
            try {
                $data = $ssh->execWithInput(self::SUBJECT, $request);
            } finally {
                $sent = $ssh->hasSent();
            }
            if ($ssh->isTimeout() || !is_string($data)) {
                throw new \UnexpectedValueException('nothing in time');
            }
            return self::answer($data);
        } catch (FtpUsersException $error) {
            $this->close();
            throw $error;
        } catch (\Throwable $error) { // of phpseclib, which PHP's own errors escape from, too
            $found = "$this->place: expected an answer to $verb, found {$error->getMessage()}";
            if ($this->ssh === null) {
                $how = $error instanceof NotReached ? $error->getMessage() : "failed: {$error->getMessage()}";
                $found = "connection to $this->place $how";
            }
            $connected = $this->ssh !== null;
            $this->drop();
            if ($sent && !in_array($verb, self::READS, true)) {
                throw new OutcomeUnknownException($found, 0, $error);
            }
            if ($this->another($found)) {
                return null;
            }
            $tried = $this->options['patience'] > 0 ? ", tried for {$this->options['patience']} s" : '';
            $question = $connected ? '' : "$tried; is this the host and the port of its sshd?";
            throw new ConnectionException($found . $question, 0, $error);
        }
    }

    /** A connection that has logged in; an FtpUsersException if a repetition would fail too, else another one. */
    private function connect(): CommandWithInput
    {
        $options = $this->options;
        $this->loadKey();
        $socket = $this->reach();
        $trusted = new HostKeys($this->host, $options['port'], $options['known_hosts'], $options['fingerprint']);
        $ssh = new CommandWithInput($socket);
        $ssh->setTimeout($options['timeout']);
        $ssh->enableQuietMode(); // what a command writes to its standard error is no part of the answer
        if ($trusted->algorithms() !== null) {
            $ssh->setPreferredAlgorithms(['hostkey' => $trusted->algorithms()]);
        }
        $key = $ssh->getServerPublicHostKey();
        if (!is_string($key)) {
            throw new \UnexpectedValueException('a host key that could not be verified');
        }
        if (!$trusted->accepts($key)) {
            $ssh->disconnect();
            throw new HostKeyException("$this->place: expected the known host key, found another one; somebody may be in"
                . ' between, or the server was set up anew');
        }
        if (!$ssh->login($options['user'], $this->key ?? $this->agent())) {
            $with = 'the keys of the SSH agent';
            if ($this->key !== null) {
                $with = "the key {$options['key']} (SHA256:{$this->key->getPublicKey()->getFingerprint('sha256')})";
            }
            throw new ConnectionException("Authentication failed for {$options['user']}@$this->host with $with;"
                . ' remote_control_clients of the server must have its public key, and allow this address if it has from');
        }
        return $ssh;
    }

    /** @return resource the TCP connection */
    private function reach()
    {
        $socket = @stream_socket_client("tcp://$this->place", $code, $message, $this->options['timeout']);
        if ($socket !== false) {
            return $socket;
        }
        $why = trim(substr((string) strrchr(":$message", ':'), 1));
        // PHP sets no code for what fails before connect(2).
        if ($code === 0 && !str_contains($why, 'Temporary failure')) {
            throw new ConnectionException("host $this->host does not resolve: $why");
        }
        throw new NotReached(match ($why) {
            'Connection refused' => 'refused',
            'Connection timed out' => 'not made in time',
            default => "failed: $why",
        });
    }

    private function agent(): Agent
    {
        try {
            $agent = @new Agent();
            if ($agent->requestIdentities() !== []) {
                return $agent;
            }
        } catch (\RuntimeException $error) {
        }
        throw new ConnectionException('expected a key file, or a key in the SSH agent (ssh-add -l), found neither');
    }

    /** Forget a connection that is broken already. */
    private function drop(): void
    {
        try {
            $this->close();
        } catch (\RuntimeException | \LogicException | \ErrorException $error) {
            $this->ssh = null;
        }
    }

    /** Pause, longer each time, and say whether there was time left; report why, at most every 5 seconds. */
    private function another(string $why): bool
    {
        $now = microtime(true);
        $left = $this->deadline - $now;
        if ($left <= 0) {
            return false;
        }
        if ($this->options['progress'] !== null && $now >= $this->silentUntil) {
            ($this->options['progress'])(sprintf('%s; trying again for %.0f s', $why, $left));
            $this->silentUntil = $now + 5;
        }
        usleep((int) (min($left, $this->pause * random_int(25, 100) / 100) * 1e6));
        $this->pause = min(8.0, $this->pause * 2);
        return true;
    }

    /** @return array<string, mixed> */
    private static function answer(string $data): array
    {
        $answer = json_decode($data, true);
        $member = is_array($answer) && ($answer['ok'] ?? null) === true ? 'result' : 'error';
        if (!is_array($answer) || ($answer['version'] ?? null) !== self::VERSION || !is_array($answer[$member] ?? null)) {
            throw new \UnexpectedValueException('something that is no answer');
        }
        return $answer;
    }
}
