#!/usr/bin/env bash
# PHP's ssh2 extension (1.3.1), file functions over ssh2.sftp://: a name with # or ? is the name in front of it.
#
# Guessed:  what stands behind the folder is the file's name, as scandir has just told it; or it is an address, and then %23 is a #.
# Happens:  the path is cut at the first # or ?, without a word. file_put_contents of loen#1.csv writes over loen, or makes it, and returns as after a success; its trigger, loen#1.csv.trigger, goes over it next.
#           file_get_contents reads loen, and unlink removes it while loen#1.csv stays. No way of writing helps: %23 is taken as it stands, three characters of a name. The functions that take names
#           (ssh2_sftp_unlink, ssh2_sftp_rename, ssh2_sftp_stat) take them whole, but none of them opens a file: one that is put can be put under another name and renamed, one that may not be renamed cannot be fetched at all.
# Product:  such names are allowed. In OUT there is then no data file and no trigger, but a file loen that waits for one, and no receipt comes; in IN another file is read and removed. docs/clients/sftp.md says what to do.
#
# Needs python3, and php-cli with php-ssh2 (Debian 12 has 8.2 and 1.3.1), or root with apt-get to install them. Exit 0: it still does so. Exit 1: it does something else. Exit 2: something cannot be installed.
set -euo pipefail
command -v python3 >/dev/null || { echo "python3 with venv is needed"; exit 2; }
installed() { command -v php >/dev/null && php -r 'exit(extension_loaded("ssh2") ? 0 : 1);'; }
if ! installed; then
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive nice apt-get install -y -qq php-cli php-ssh2; } >/dev/null 2>&1 && installed || { echo "php-cli and php-ssh2 are needed"; exit 2; }
fi
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
nice venv/bin/pip install --quiet --disable-pip-version-check asyncssh==2.24.0 cryptography==50.0.2 || exit 2
mkdir -p server/OUT
cat >run.py <<'PY'
import asyncio
import sys

import asyncssh


class Server(asyncssh.SSHServer):
    def begin_auth(self, username):
        return False


async def run():
    key = asyncssh.generate_private_key("ssh-ed25519")
    home = lambda channel: asyncssh.SFTPServer(channel, chroot="server")
    server = await asyncssh.create_server(Server, "127.0.0.1", 0, server_host_keys=[key], sftp_factory=home)
    client = await asyncio.create_subprocess_exec("php", "try.php", str(server.get_port()))
    sys.exit(await asyncio.wait_for(client.wait(), 60))


asyncio.run(run())
PY
cat >try.php <<'PHP'
<?php
// What the folder at the server holds, by name.
function held(): array
{
    $held = [];
    foreach (array_diff(scandir('server/OUT'), ['.', '..']) as $name) {
        $held[$name] = file_get_contents("server/OUT/$name");
    }
    return $held;
}

$session = ssh2_connect('127.0.0.1', (int) $argv[1]);
ssh2_auth_none($session, 'user');
$sftp = ssh2_sftp($session);
$out = 'ssh2.sftp://' . (int) $sftp . '/OUT/';
$got = [];
foreach (['loen#1.csv', 'loen?1.csv'] as $name) {
    array_map('unlink', glob('server/OUT/*'));
    file_put_contents('server/OUT/loen', 'another');
    file_put_contents("server/OUT/$name", 'asked for');
    $got["$name: read"] = file_get_contents($out . $name);
    $got["$name: put"] = [file_put_contents($out . $name, 'new'), held()];
    $got["$name: removed"] = [unlink($out . $name), held()];
    $got["$name: put again"] = [file_put_contents($out . $name, 'new'), held()];
    $got["$name: by its name"] = [ssh2_sftp_unlink($sftp, "/OUT/$name"), held()];
}
array_map('unlink', glob('server/OUT/*'));
$got['loen%231.csv: put'] = [file_put_contents($out . rawurlencode('loen#1.csv'), 'new'), held()];
$got['renamed'] = [ssh2_sftp_rename($sftp, '/OUT/loen%231.csv', '/OUT/loen#1.csv'), held()];
$due = [];
foreach (['loen#1.csv', 'loen?1.csv'] as $name) {
    $due["$name: read"] = 'another';
    $due["$name: put"] = [3, ['loen' => 'new', $name => 'asked for']];
    $due["$name: removed"] = [true, [$name => 'asked for']];
    $due["$name: put again"] = [3, ['loen' => 'new', $name => 'asked for']];
    $due["$name: by its name"] = [true, ['loen' => 'new']];
}
$due['loen%231.csv: put'] = [3, ['loen%231.csv' => 'new']];
$due['renamed'] = [true, ['loen#1.csv' => 'new']];
echo 'PHP ', PHP_VERSION, ', ssh2 ', phpversion('ssh2'), "\n";
foreach ($got as $what => $seen) {
    printf("%-26s %s\n", $what, json_encode($seen, JSON_UNESCAPED_SLASHES));
}
if ($got !== $due) {
    echo "the behaviour has changed\n";
    exit(1);
}
PHP
venv/bin/python run.py
