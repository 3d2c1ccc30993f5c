import java.io.File;
import java.util.EnumSet;
import java.util.List;
import net.schmizz.sshj.DefaultConfig;
import net.schmizz.sshj.SSHClient;
import net.schmizz.sshj.sftp.OpenMode;
import net.schmizz.sshj.sftp.RemoteFile;
import net.schmizz.sshj.sftp.RemoteResourceInfo;
import net.schmizz.sshj.sftp.RenameFlags;
import net.schmizz.sshj.sftp.SFTPClient;

final class SshjDriver {
  public static void main(String[] arguments) throws Exception {
    Driven.run((host, port, user, key, knownHosts) -> {
      SSHClient ssh = new SSHClient(new DefaultConfig());
      ssh.loadKnownHosts(new File(knownHosts));
      ssh.connect(host, port);
      ssh.authPublickey(user, key);
      SFTPClient sftp = ssh.newSFTPClient();
      return new Driven.Client() {
        public void put(String local, String remote, boolean preserve) throws Exception {
          sftp.getFileTransfer().setPreserveAttributes(preserve);
          sftp.put(local, remote);
        }

        public void get(String remote, String local) throws Exception {
          sftp.get(remote, local);
        }

        public List<String> names(String remote) throws Exception {
          return sftp.ls(remote).stream().map(RemoteResourceInfo::getName).toList();
        }

        public void remove(String remote) throws Exception {
          sftp.rm(remote);
        }

        public void rename(String from, String to) throws Exception {
          sftp.rename(from, to);
        }

        public void mkdir(String remote) throws Exception {
          sftp.mkdir(remote);
        }

        public void replace(String from, String to) throws Exception {
          sftp.rename(from, to, EnumSet.of(RenameFlags.OVERWRITE, RenameFlags.ATOMIC));
        }

        public void resume(String local, String remote) throws Exception {
          write(local, remote, EnumSet.of(OpenMode.WRITE));
        }

        public void append(String local, String remote) throws Exception {
          write(local, remote, EnumSet.of(OpenMode.WRITE, OpenMode.APPEND));
        }

        private void write(String local, String remote, EnumSet<OpenMode> modes) throws Exception {
          try (RemoteFile to = sftp.open(remote, modes)) {
            long begin = modes.contains(OpenMode.APPEND) ? 0 : to.length();
            Driven.rest(local, begin, (at, piece, length) -> to.write(at, piece, 0, length));
          }
        }

        public void treeUp(String local, String remote) throws Exception {
          sftp.put(local, remote);
        }

        public void treeDown(String remote, String local) throws Exception {
          sftp.get(remote, local);
        }

        public void close() throws Exception {
          sftp.close();
          ssh.close();
        }
      };
    });
  }
}
