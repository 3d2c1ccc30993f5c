#!/usr/bin/env bash
# Guessed:  SOAP 1.2 part 2, table 20, gives a fault of code Sender the HTTP status 400, so a client of SOAP 1.2 reads one.
# Happens:  Apache CXF's client throws the body of a 400 away and tells its user "Could not send Message." alone; the very
#           same fault with 500 comes out as SOAPFaultException with its text. It reads the 400 only where
#           org.apache.cxf.transport.process_fault_on_http_400 is set to true.
# Product:  faults of the sender's go out with 500 (`[service.NAME] sender_fault_status`, docs/faults.md, docs/clients/java.md).
#
# Needs java 17 or later and mvn. Exit 0: CXF still does so. Exit 1: it does something else.
set -euo pipefail
version=${CXF_VERSION:-3.5.9}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/src/main/java"
cat > "$work/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>finding</groupId><artifactId>finding</artifactId><version>1</version>
  <properties>
    <maven.compiler.release>17</maven.compiler.release>
    <project.build.sourceEncoding>UTF-8</project.build.sourceEncoding>
  </properties>
  <dependencies>
    <dependency><groupId>org.apache.cxf</groupId><artifactId>cxf-rt-frontend-jaxws</artifactId><version>$version</version></dependency>
    <dependency><groupId>org.apache.cxf</groupId><artifactId>cxf-rt-transports-http</artifactId><version>$version</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-nop</artifactId><version>2.0.16</version></dependency>
  </dependencies>
  <build><plugins>
    <plugin><artifactId>maven-compiler-plugin</artifactId><version>3.13.0</version></plugin>
    <plugin><artifactId>maven-dependency-plugin</artifactId><version>3.8.1</version>
      <executions><execution><phase>package</phase><goals><goal>copy-dependencies</goal></goals>
        <configuration><outputDirectory>\${project.build.directory}/lib</outputDirectory></configuration></execution></executions></plugin>
  </plugins></build>
</project>
POM
cat > "$work/src/main/java/Finding.java" <<'JAVA'
import com.sun.net.httpserver.HttpServer;
import java.io.StringReader;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import javax.xml.namespace.QName;
import javax.xml.transform.Source;
import javax.xml.transform.stream.StreamSource;
import javax.xml.ws.Dispatch;
import javax.xml.ws.Service;
import javax.xml.ws.soap.SOAPBinding;
import javax.xml.ws.soap.SOAPFaultException;

public class Finding {
    static final String FAULT = "<e:Envelope xmlns:e=\"http://www.w3.org/2003/05/soap-envelope\"><e:Body><e:Fault><e:Code>"
        + "<e:Value>e:Sender</e:Value></e:Code><e:Reason><e:Text xml:lang=\"en\">what to mend</e:Text></e:Reason></e:Fault>"
        + "</e:Body></e:Envelope>";

    public static void main(String[] args) throws Exception {
        HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 0);
        server.createContext("/", exchange -> {
            exchange.getRequestBody().readAllBytes();
            byte[] body = FAULT.getBytes(StandardCharsets.UTF_8);
            exchange.getResponseHeaders().set("Content-Type", "application/soap+xml; charset=utf-8");
            exchange.sendResponseHeaders(Integer.parseInt(exchange.getRequestURI().getPath().substring(1)), body.length);
            exchange.getResponseBody().write(body);
            exchange.close();
        });
        server.start();
        boolean same = tell(server, 500, false, "what to mend");
        same &= tell(server, 400, false, "Could not send Message.");
        same &= tell(server, 400, true, "what to mend");
        server.stop(0);
        System.exit(same ? 0 : 1);
    }

    static boolean tell(HttpServer server, int status, boolean told, String expected) {
        Service service = Service.create(new QName("urn:x", "S"));
        QName port = new QName("urn:x", "P");
        service.addPort(port, SOAPBinding.SOAP12HTTP_BINDING, "http://127.0.0.1:" + server.getAddress().getPort() + "/" + status);
        Dispatch<Source> client = service.createDispatch(port, Source.class, Service.Mode.PAYLOAD);
        if (told) {
            client.getRequestContext().put("org.apache.cxf.transport.process_fault_on_http_400", true);
        }
        String seen;
        try {
            client.invoke(new StreamSource(new StringReader("<x xmlns=\"urn:x\"/>")));
            seen = "no exception";
        } catch (SOAPFaultException fault) {
            seen = fault.getMessage();
        } catch (RuntimeException other) {
            seen = other.getMessage();
        }
        System.out.println("HTTP " + status + (told ? ", process_fault_on_http_400" : "") + ": " + seen);
        return seen.contains(expected);
    }
}
JAVA
mvn -q -B -f "$work/pom.xml" package > "$work/mvn.log" 2>&1 || { tail -20 "$work/mvn.log"; exit 2; }
echo "Apache CXF $version, $(java -version 2>&1 | head -1)"
# Its log, a stack trace for each, is not what a user of it shows.
java -cp "$work/target/classes:$work/target/lib/*" Finding 2>/dev/null
