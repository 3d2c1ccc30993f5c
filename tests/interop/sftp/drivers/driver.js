// Drives ssh2 or ssh2-sftp-client: what is to be done comes as JSON on standard input.
const fs = require('fs');
const about = JSON.parse(fs.readFileSync(0, 'utf8'));
const login = { host: about.host, port: about.port, username: about.user, privateKey: fs.readFileSync(about.key) };
const say = (answer, code = 0) => { console.log(JSON.stringify(answer)); process.exit(code); };
const failed = (error) => say({ error: `${error.name}: ${error.message}` });

async function bySftpClient() {
  const Client = require('ssh2-sftp-client');
  const sftp = new Client();
  await sftp.connect(login);
  const done = [];
  for (const step of about.steps) {
    switch (step.do) {
      case 'put': await sftp.fastPut(step.local, step.remote); done.push(0); break;
      case 'get': await sftp.fastGet(step.remote, step.local); done.push(0); break;
      case 'names': done.push((await sftp.list(step.remote)).map((file) => file.name)); break;
      case 'remove': await sftp.delete(step.remote); done.push(0); break;
      case 'rename': await sftp.rename(step.remote, step.to); done.push(0); break;
    }
  }
  await sftp.end();
  return done;
}

function bySsh2() {
  const { Client } = require('ssh2');
  return new Promise((resolve, reject) => {
    const ssh = new Client();
    ssh.on('error', reject).on('ready', () => ssh.sftp(async (error, sftp) => {
      if (error) return reject(error);
      const call = (name, ...args) => new Promise((ok, no) => sftp[name](...args, (error, value) => (error ? no(error) : ok(value))));
      const stream = (from, to) => new Promise((ok, no) => { from.on('error', no); to.on('error', no).on('close', ok); from.pipe(to); });
      const done = [];
      try {
        for (const step of about.steps) {
          switch (step.do) {
            case 'put':
              await stream(fs.createReadStream(step.local), sftp.createWriteStream(step.remote));
              if (step.preserve) { const s = fs.statSync(step.local); await call('utimes', step.remote, s.atime, s.mtime); }
              done.push(0);
              break;
            case 'get': await stream(sftp.createReadStream(step.remote), fs.createWriteStream(step.local)); done.push(0); break;
            case 'names': done.push((await call('readdir', step.remote)).map((file) => file.filename)); break;
            case 'remove': await call('unlink', step.remote); done.push(0); break;
            case 'rename': await call('rename', step.remote, step.to); done.push(0); break;
          }
        }
        ssh.end();
        resolve(done);
      } catch (error) { reject(error); }
    })).connect(login);
  });
}

(process.argv[2] === 'ssh2' ? bySsh2() : bySftpClient()).then((done) => say({ done }), failed);
