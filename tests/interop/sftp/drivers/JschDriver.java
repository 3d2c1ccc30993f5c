import com.jcraft.jsch.ChannelSftp;
import com.jcraft.jsch.JSch;
import com.jcraft.jsch.Session;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

final class JschDriver {
  public static void main(String[] arguments) throws Exception {
    Driven.run((host, port, user, key, knownHosts) -> {
      JSch jsch = new JSch();
      jsch.addIdentity(key);
      jsch.setKnownHosts(knownHosts);
      Session session = jsch.getSession(user, host, port);
      session.connect(20_000);
      ChannelSftp sftp = (ChannelSftp) session.openChannel("sftp");
      sftp.connect(20_000);
      return new Driven.Client() {
        public void put(String local, String remote, boolean preserve) throws Exception {
          sftp.put(local, remote);
          if (preserve) {
            sftp.setMtime(remote, (int) (Files.getLastModifiedTime(Path.of(local)).toMillis() / 1000));
          }
        }

        public void get(String remote, String local) throws Exception {
          sftp.get(remote, local);
        }

        public List<String> names(String remote) throws Exception {
          List<String> names = new ArrayList<>();
          for (ChannelSftp.LsEntry entry : sftp.ls(remote)) {
            names.add(entry.getFilename());
          }
          return names;
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

        public void resume(String local, String remote) throws Exception {
          sftp.put(local, remote, ChannelSftp.RESUME);
        }

        public void append(String local, String remote) throws Exception {
          sftp.put(local, remote, ChannelSftp.APPEND);
        }

        public void close() {
          sftp.disconnect();
          session.disconnect();
        }
      };
    });
  }
}
