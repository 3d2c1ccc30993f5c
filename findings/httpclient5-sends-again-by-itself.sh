#!/usr/bin/env bash
# Apache HttpClient 5.5.1 sends a POST again by itself after 503 and 429, OkHttp 5.3.0 after 408: the same bytes a second time, and the caller is told the second answer alone.
#
# Guessed:  once an answer has come, the call is over: what to do about a 503 is the caller's decision, above all of a POST, which HTTP (RFC 9110, § 9.2.2) lets no client repeat without knowing
#           that it may. HttpClient does not repeat a POST whose connection broke, and says so.
# Happens:  of an answer HttpClient looks at the status alone, not at the method: after 503 or 429 it waits as long as Retry-After says (a second where it is not there), sends the POST once
#           more, and hands out that answer. The first one is seen by nobody. OkHttp does so at once after 408, and after 503 with "Retry-After: 0". disableAutomaticRetries()
#           turns it off; OkHttp's retryOnConnectionFailure(false) does so after 408 alone. Java's own HttpClient (java.net.http) sends it once.
# Product:  a signed message is let through once, so that the second sending is a Replay: where the first was refused with 503 behind the memory against replay (PeerBusy, PeerResting), the
#           caller reads Replay, which says nothing of it, and that is no answer to wait and try again upon. BodyTimeout is a 408. docs/clients/java.md says what to set.
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
    <dependency><groupId>org.apache.httpcomponents.client5</groupId><artifactId>httpclient5</artifactId><version>5.5.1</version></dependency>
    <dependency><groupId>com.squareup.okhttp3</groupId><artifactId>okhttp-jvm</artifactId><version>5.3.0</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-nop</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>
POM
nice mvn --quiet --batch-mode org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies -DoutputDirectory="$work/lib" >mvn.log 2>&1 || { cat mvn.log; exit 2; }
cat >Finding.java <<'JAVA'
import com.sun.net.httpserver.HttpServer;
import java.net.*;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.*;
import java.util.concurrent.Executors;
import okhttp3.*;
import org.apache.hc.client5.http.classic.methods.HttpPost;
import org.apache.hc.client5.http.impl.classic.*;
import org.apache.hc.core5.http.ContentType;
import org.apache.hc.core5.http.io.entity.*;

public class Finding {
  static final String MESSAGE = "<Envelope><MessageID>urn:uuid:1</MessageID></Envelope>";
  static final List<String> came = Collections.synchronizedList(new ArrayList<>());

  interface Client { String post(String address) throws Exception; }

  static String apache(String address, HttpClientBuilder builder) throws Exception {
    try (CloseableHttpClient client = builder.build()) {
      HttpPost post = new HttpPost(address);
      post.setEntity(new StringEntity(MESSAGE, ContentType.TEXT_XML));
      return client.execute(post, answer -> EntityUtils.toString(answer.getEntity()));
    }
  }

  static String ok(String address, OkHttpClient client) throws Exception {
    Request post = new Request.Builder().url(address).post(RequestBody.create(MESSAGE, MediaType.get("text/xml"))).build();
    try (Response answer = client.newCall(post).execute()) {
      return answer.body().string();
    }
  }

  static String java(String address) throws Exception {
    HttpRequest post = HttpRequest.newBuilder(URI.create(address)).POST(HttpRequest.BodyPublishers.ofString(MESSAGE)).build();
    return java.net.http.HttpClient.newHttpClient().send(post, HttpResponse.BodyHandlers.ofString()).body();
  }

  public static void main(String[] arguments) throws Exception {
    HttpServer server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    server.createContext("/", exchange -> {
      came.add(new String(exchange.getRequestBody().readAllBytes()));
      String[] path = exchange.getRequestURI().getPath().split("/");
      if (path.length > 2) {
        exchange.getResponseHeaders().set("Retry-After", path[2]);
      }
      byte[] answer = ("answer " + came.size()).getBytes();
      exchange.sendResponseHeaders(Integer.parseInt(path[1]), answer.length);
      exchange.getResponseBody().write(answer);
      exchange.close();
    });
    server.setExecutor(Executors.newCachedThreadPool());
    server.start();
    String base = "http://localhost:" + server.getAddress().getPort();
    Map<String, Client> clients = new LinkedHashMap<>();
    clients.put("HttpClient 5", address -> apache(address, HttpClients.custom()));
    clients.put("HttpClient 5, no automatic retries", address -> apache(address, HttpClients.custom().disableAutomaticRetries()));
    clients.put("OkHttp", address -> ok(address, new OkHttpClient()));
    clients.put("OkHttp, no retry on failure", address -> ok(address, new OkHttpClient.Builder().retryOnConnectionFailure(false).build()));
    clients.put("java.net.http", Finding::java);
    // How many times the message comes: of 500, 503, 503 with Retry-After 1 and 0, 429, 408.
    String[] asked = {"/500", "/503", "/503/1", "/503/0", "/429", "/408"};
    Map<String, String> due = Map.of("HttpClient 5", "1 2 2 2 2 1", "HttpClient 5, no automatic retries", "1 1 1 1 1 1",
        "OkHttp", "1 1 1 2 1 2", "OkHttp, no retry on failure", "1 1 1 2 1 1", "java.net.http", "1 1 1 1 1 1");
    boolean same = true;
    for (Map.Entry<String, Client> client : clients.entrySet()) {
      List<String> times = new ArrayList<>();
      for (String path : asked) {
        came.clear();
        String answer = client.getValue().post(base + path);
        same &= answer.equals("answer " + came.size()) && Set.copyOf(came).equals(Set.of(MESSAGE));
        times.add(Integer.toString(came.size()));
      }
      System.out.printf("%-36s %s: %s%n", client.getKey(), String.join(" ", asked), String.join(" ", times));
      same &= String.join(" ", times).equals(due.get(client.getKey()));
    }
    System.out.println(same ? "each second message was the first, byte by byte; the caller was told the last answer" : "the behaviour has changed");
    System.exit(same ? 0 : 1);
  }
}
JAVA
nice java -cp 'lib/*' Finding.java
