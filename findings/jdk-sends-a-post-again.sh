#!/usr/bin/env bash
# The JDK's HttpURLConnection sends a POST twice where its answer is lost; so do the SOAP clients that stand on it (Metro, SAAJ, CXF 3).
#
# Guessed:  a POST whose connection ends before an answer gives an exception, and has been sent once: only the caller can know whether it may be sent again.
# Happens:  where the server has read the whole message and the connection ends without a byte of an answer, on a new connection as on a kept one, HttpURLConnection opens another, sends the
#           same message again and hands out what comes then. Only if the second one is lost too is there an exception, and it tells of one. So do JAX-WS RI (Metro, jaxws-rt 4.0.3) and
#           SAAJ (SOAPConnection, saaj-impl 3.0.4), and Apache CXF 3.5.9 with messages of less than four kilobytes, or with all of them where chunking is off (setAllowChunking(false)), as many have it for the sake of
#           old servers. -Dsun.net.http.retryPost=false ends it, and so does chunked sending; java.net.http.HttpClient sends once.
# Product:  a gateway or balancer that is killed in the middle of a call makes such a client send a signed message twice, with one MessageID: the caller is told Replay of a message that was passed on, and never that the
#           first answer was lost. Of a voucher the ledger's receipt comes (or FB032), for the LeveranceID is the same. docs/clients/java.md says what to set.
#
# Needs java 17 or later and mvn. Exit 0: they still do so. Exit 1: they do something else. Exit 2: a tool is missing.
set -euo pipefail
for tool in java mvn; do command -v "$tool" >/dev/null || { echo "$tool is needed"; exit 2; }; done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cat >pom.xml <<'POM'
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion><groupId>f</groupId><artifactId>f</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>com.sun.xml.ws</groupId><artifactId>jaxws-rt</artifactId><version>4.0.3</version></dependency>
    <dependency><groupId>com.sun.xml.messaging.saaj</groupId><artifactId>saaj-impl</artifactId><version>3.0.4</version></dependency>
  </dependencies>
</project>
POM
nice mvn --quiet --batch-mode org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies -DoutputDirectory="$work/lib" >mvn.log 2>&1 || { cat mvn.log; exit 2; }
cat >Finding.java <<'JAVA'
import jakarta.xml.soap.*;
import jakarta.xml.ws.*;
import jakarta.xml.ws.soap.SOAPBinding;
import java.io.*;
import java.net.*;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.*;
import java.util.logging.*;
import javax.xml.namespace.QName;

/** A server that reads each message to its end; the first `lost` connections it closes without an answer. */
public class Finding {
  static final List<String> came = Collections.synchronizedList(new ArrayList<>());
  static volatile int lost;

  static String read(InputStream in) throws IOException {
    StringBuilder head = new StringBuilder();
    while (head.indexOf("\r\n\r\n") < 0) {
      int next = in.read();
      if (next < 0) throw new EOFException();
      head.append((char) next);
    }
    int length = 0;
    for (String line : head.toString().split("\r\n")) {
      if (line.toLowerCase(Locale.ROOT).startsWith("content-length:")) length = Integer.parseInt(line.substring(15).trim());
      if (line.toLowerCase(Locale.ROOT).startsWith("transfer-encoding:")) length = -1;
    }
    if (length >= 0) return new String(in.readNBytes(length));
    StringBuilder chunks = new StringBuilder();
    while (chunks.indexOf("0\r\n\r\n") < 0) chunks.append((char) in.read());
    return chunks.toString();
  }

  static void serve(ServerSocket server) {
    while (true) {
      try (Socket socket = server.accept()) {
        came.add(read(socket.getInputStream()));
        if (came.size() > lost) {
          byte[] body = "<e:Envelope xmlns:e='http://schemas.xmlsoap.org/soap/envelope/'><e:Body><x/></e:Body></e:Envelope>".getBytes();
          socket.getOutputStream().write(("HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nConnection: close\r\nContent-Length: " + body.length + "\r\n\r\n").getBytes());
          socket.getOutputStream().write(body);
        }
      } catch (IOException ended) {
        // The next one.
      }
    }
  }

  interface Client { void call(String address) throws Exception; }

  static void plain(String address, boolean chunked) throws Exception {
    HttpURLConnection connection = (HttpURLConnection) new URL(address).openConnection();
    connection.setRequestMethod("POST");
    connection.setDoOutput(true);
    connection.setRequestProperty("Content-Type", "text/xml");
    if (chunked) connection.setChunkedStreamingMode(1024);
    connection.getOutputStream().write("<m/>".getBytes());
    if (connection.getResponseCode() != 200) throw new IOException("status");
  }

  static SOAPMessage message() throws SOAPException {
    return MessageFactory.newInstance().createMessage();
  }

  static void metro(String address) throws Exception {
    Service service = Service.create(new QName("urn:t", "service"));
    QName port = new QName("urn:t", "port");
    service.addPort(port, SOAPBinding.SOAP11HTTP_BINDING, address);
    service.createDispatch(port, SOAPMessage.class, Service.Mode.MESSAGE).invoke(message());
  }

  static void saaj(String address) throws Exception {
    SOAPConnectionFactory.newInstance().createConnection().call(message(), address);
  }

  static void newer(String address) throws Exception {
    HttpRequest post = HttpRequest.newBuilder(URI.create(address)).POST(HttpRequest.BodyPublishers.ofString("<m/>")).build();
    java.net.http.HttpClient.newHttpClient().send(post, HttpResponse.BodyHandlers.ofString());
  }

  public static void main(String[] arguments) throws Exception {
    Logger.getLogger("").setLevel(Level.OFF);
    ServerSocket server = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
    Thread thread = new Thread(() -> serve(server));
    thread.setDaemon(true);
    thread.start();
    String address = "http://localhost:" + server.getLocalPort() + "/";
    Map<String, Client> clients = new LinkedHashMap<>();
    clients.put("HttpURLConnection", to -> plain(to, false));
    clients.put("HttpURLConnection, chunked", to -> plain(to, true));
    clients.put("Metro", Finding::metro);
    clients.put("SAAJ", Finding::saaj);
    clients.put("java.net.http", Finding::newer);
    List<String> told = new ArrayList<>();
    for (Map.Entry<String, Client> client : clients.entrySet()) {
      for (int of : new int[] {1, 2}) {
        came.clear();
        lost = of;
        String outcome = "an answer";
        try {
          client.getValue().call(address);
        } catch (Exception failed) {
          outcome = "an exception";
        }
        boolean same = Set.copyOf(came).size() == 1;
        told.add(client.getKey() + ", " + of + " lost: sent " + came.size() + (same ? "" : " (not the same)") + ", " + outcome);
      }
    }
    told.forEach(System.out::println);
    boolean twice = !"false".equals(System.getProperty("sun.net.http.retryPost"));
    List<String> due = new ArrayList<>();
    for (String name : clients.keySet()) {
      boolean again = twice && !name.contains("chunked") && !name.equals("java.net.http");
      for (int of : new int[] {1, 2}) due.add(name + ", " + of + " lost: sent " + (again ? 2 : 1) + ", " + (again && of == 1 ? "an answer" : "an exception"));
    }
    if (!told.equals(due)) {
      System.out.println("the behaviour has changed");
      System.exit(1);
    }
    System.exit(0);
  }
}
JAVA
mkdir cxf
cd cxf
cat >pom.xml <<'POM'
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion><groupId>f</groupId><artifactId>f</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.cxf</groupId><artifactId>cxf-rt-frontend-jaxws</artifactId><version>3.5.9</version></dependency>
    <dependency><groupId>org.apache.cxf</groupId><artifactId>cxf-rt-transports-http</artifactId><version>3.5.9</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-nop</artifactId><version>2.0.16</version></dependency>
  </dependencies>
</project>
POM
nice mvn --quiet --batch-mode org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies -DoutputDirectory="$work/cxf/lib" >mvn.log 2>&1 || { cat mvn.log; exit 2; }
cat >Cxf.java <<'JAVA'
import java.io.*;
import java.net.*;
import java.util.*;
import java.util.logging.*;
import javax.xml.namespace.QName;
import javax.xml.soap.*;
import javax.xml.ws.*;
import javax.xml.ws.soap.SOAPBinding;
import org.apache.cxf.jaxws.DispatchImpl;
import org.apache.cxf.transport.http.HTTPConduit;

/** A server that reads each message to its end and answers none. */
public class Cxf {
  static final List<String> came = Collections.synchronizedList(new ArrayList<>());

  static void serve(ServerSocket server) {
    while (true) {
      try (Socket socket = server.accept()) {
        InputStream in = socket.getInputStream();
        StringBuilder head = new StringBuilder();
        while (head.indexOf("\r\n\r\n") < 0) head.append((char) in.read());
        int length = -1;
        for (String line : head.toString().split("\r\n")) if (line.toLowerCase(Locale.ROOT).startsWith("content-length:")) length = Integer.parseInt(line.substring(15).trim());
        StringBuilder chunks = new StringBuilder();
        if (length < 0) while (chunks.indexOf("0\r\n\r\n") < 0) chunks.append((char) in.read());
        came.add(length < 0 ? chunks.toString() : new String(in.readNBytes(length)));
      } catch (IOException ended) {
        // The next one.
      }
    }
  }

  static int times(String address, int size, boolean chunking) throws Exception {
    came.clear();
    Service service = Service.create(new QName("urn:t", "service"));
    QName port = new QName("urn:t", "port");
    service.addPort(port, SOAPBinding.SOAP11HTTP_BINDING, address);
    Dispatch<SOAPMessage> dispatch = service.createDispatch(port, SOAPMessage.class, Service.Mode.MESSAGE);
    ((HTTPConduit) ((DispatchImpl<SOAPMessage>) dispatch).getClient().getConduit()).getClient().setAllowChunking(chunking);
    SOAPMessage message = MessageFactory.newInstance().createMessage();
    message.getSOAPBody().addBodyElement(new QName("urn:t", "x")).addTextNode("y".repeat(size));
    try {
      dispatch.invoke(message);
    } catch (WebServiceException failed) {
      return came.size();
    }
    return -1;
  }

  public static void main(String[] arguments) throws Exception {
    Logger.getLogger("").setLevel(Level.OFF);
    ServerSocket server = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
    Thread thread = new Thread(() -> serve(server));
    thread.setDaemon(true);
    thread.start();
    String address = "http://localhost:" + server.getLocalPort() + "/";
    int[] sent = {times(address, 10, true), times(address, 10000, true), times(address, 10000, false)};
    System.out.println("CXF 3.5.9: a small message is sent " + sent[0] + " time(s), a large one in chunks " + sent[1] + ", a large one without chunks " + sent[2]);
    boolean twice = !"false".equals(System.getProperty("sun.net.http.retryPost"));
    System.exit(Arrays.equals(sent, twice ? new int[] {2, 1, 2} : new int[] {1, 1, 1}) ? 0 : 1);
  }
}
JAVA
cd ..
echo "as it is:"
nice java -cp 'lib/*' Finding.java
nice java -cp 'cxf/lib/*' cxf/Cxf.java
echo "with -Dsun.net.http.retryPost=false:"
nice java -Dsun.net.http.retryPost=false -cp 'lib/*' Finding.java
nice java -Dsun.net.http.retryPost=false -cp 'cxf/lib/*' cxf/Cxf.java
