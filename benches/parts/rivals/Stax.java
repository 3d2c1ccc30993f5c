// One pass of Woodstox over an answer: every event, every name and every text, and nothing done with them. It is less than
// a filter does. Each line on standard input asks for so many passes, each line on standard output tells the
// nanoseconds of CPU that they took.
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.InputStreamReader;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.nio.file.Files;
import java.nio.file.Path;
import javax.xml.stream.XMLInputFactory;
import javax.xml.stream.XMLStreamReader;

public class Stax {
    static long pass(XMLInputFactory factory, byte[] bytes) throws Exception {
        XMLStreamReader reader = factory.createXMLStreamReader(new ByteArrayInputStream(bytes));
        long seen = 0;
        while (reader.hasNext()) {
            switch (reader.next()) {
                case XMLStreamReader.START_ELEMENT -> seen += reader.getLocalName().length() + reader.getNamespaceURI().length();
                case XMLStreamReader.CHARACTERS, XMLStreamReader.CDATA -> seen += reader.getTextLength();
                default -> seen++;
            }
        }
        reader.close();
        return seen;
    }

    public static void main(String[] arguments) throws Exception {
        byte[] bytes = Files.readAllBytes(Path.of(arguments[0]));
        XMLInputFactory factory = new com.ctc.wstx.stax.WstxInputFactory();
        factory.setProperty(XMLInputFactory.SUPPORT_DTD, false);
        factory.setProperty(XMLInputFactory.IS_COALESCING, false);
        BufferedReader asked = new BufferedReader(new InputStreamReader(System.in));
        ThreadMXBean cpu = ManagementFactory.getThreadMXBean();
        long seen = 0;
        for (String line; (line = asked.readLine()) != null; ) {
            long started = cpu.getCurrentThreadCpuTime();
            for (int n = Integer.parseInt(line); n > 0; n--) {
                seen += pass(factory, bytes);
            }
            System.out.println(cpu.getCurrentThreadCpuTime() - started);
        }
        System.err.println(seen);
    }
}
