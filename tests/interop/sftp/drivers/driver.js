// Drives ssh2 or ssh2-sftp-client over one connection: who logs on comes as a line of JSON on standard input, then a line for each step.
const fs = require('fs');
const lines = require('readline').createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const line = async () => { const { value, done } = await lines.next(); return done ? undefined : JSON.parse(value); };
const say = (answer) => console.log(JSON.stringify(answer));
const failed = (error) => say({ error: `${error.name}: ${error.message}` });

async function serve(does) {
  for (let step = await line(); step; step = await line()) {
    try { say({ done: (await does[step.do](step)) ?? 0 }); } catch (error) { failed(error); }
  }
}

async function bySftpClient(login) {
  const Client = require('ssh2-sftp-client');
  const sftp = new Client();
  await sftp.connect(login);
  await serve({
    put: (step) => sftp.fastPut(step.local, step.remote),
    get: (step) => sftp.fastGet(step.remote, step.local),
    names: async (step) => (await sftp.list(step.remote)).map((file) => file.name),
    remove: (step) => sftp.delete(step.remote),
    mkdir: (step) => sftp.mkdir(step.remote),
    rename: (step) => sftp.rename(step.remote, step.to),
    replace: (step) => sftp.posixRename(step.remote, step.to),
    resume: async (step) => {
      const start = (await sftp.stat(step.remote)).size;
      await sftp.put(fs.createReadStream(step.local, { start }), step.remote, { writeStreamOptions: { flags: 'r+', start } });
    },
    append: (step) => sftp.append(fs.createReadStream(step.local), step.remote),
    tree_up: (step) => sftp.uploadDir(step.local, step.remote),
    tree_down: (step) => sftp.downloadDir(step.remote, step.local),
  });
  await sftp.end();
}

function bySsh2(login) {
  const { Client } = require('ssh2');
  return new Promise((resolve, reject) => {
    const ssh = new Client();
    ssh.on('error', reject).on('ready', () => ssh.sftp(async (error, sftp) => {
      if (error) return reject(error);
      const call = (name, ...args) => new Promise((ok, no) => sftp[name](...args, (error, value) => (error ? no(error) : ok(value))));
      const stream = (from, to) => new Promise((ok, no) => { from.on('error', no); to.on('error', no).on('close', ok); from.pipe(to); });
      await serve({
        put: async (step) => {
          await stream(fs.createReadStream(step.local), sftp.createWriteStream(step.remote));
          if (step.preserve) { const s = fs.statSync(step.local); await call('utimes', step.remote, s.atime, s.mtime); }
        },
        get: (step) => stream(sftp.createReadStream(step.remote), fs.createWriteStream(step.local)),
        names: async (step) => (await call('readdir', step.remote)).map((file) => file.filename),
        remove: (step) => call('unlink', step.remote),
        mkdir: (step) => call('mkdir', step.remote),
        rename: (step) => call('rename', step.remote, step.to),
        replace: (step) => call('ext_openssh_rename', step.remote, step.to),
        resume: async (step) => {
          const start = (await call('stat', step.remote)).size;
          await stream(fs.createReadStream(step.local, { start }), sftp.createWriteStream(step.remote, { flags: 'r+', start }));
        },
        append: (step) => stream(fs.createReadStream(step.local), sftp.createWriteStream(step.remote, { flags: 'a' })),
      });
      ssh.end();
      resolve();
    })).connect(login);
  });
}

(async () => {
  const about = await line();
  const login = { host: about.host, port: about.port, username: about.user, privateKey: fs.readFileSync(about.key) };
  await (process.argv[2] === 'ssh2' ? bySsh2(login) : bySftpClient(login));
})().catch(failed).finally(() => process.exit(0));
