package dk.hjemmel.interop;

import java.util.stream.Collectors;
import javax.xml.namespace.QName;
import org.apache.cxf.Bus;
import org.apache.cxf.BusFactory;
import org.apache.cxf.endpoint.Client;
import org.apache.cxf.endpoint.Endpoint;
import org.apache.cxf.jaxws.endpoint.dynamic.JaxWsDynamicClientFactory;
import org.apache.cxf.service.model.BindingOperationInfo;
import org.apache.cxf.transport.Conduit;
import org.apache.cxf.ws.policy.PolicyEngine;

/**
 * Loads a WSDL as CXF does for a client: generates and compiles its classes, and asks the policy engine for the policy of
 * a request. Prints the operations and the policy's assertions.
 *
 * <pre>
 *   Load WSDL [ASSERTION…]     with each assertion named, the exit code is 0 only where the policy holds it
 * </pre>
 */
public final class Load {
    private Load() {
    }

    public static void main(String[] arguments) throws Exception {
        Bus bus = BusFactory.getDefaultBus();
        Client client = JaxWsDynamicClientFactory.newInstance(bus).createClient(arguments[0]);
        Endpoint endpoint = client.getEndpoint();
        Conduit conduit = client.getConduit();
        String held = "";
        for (BindingOperationInfo operation : endpoint.getBinding().getBindingInfo().getOperations()) {
            System.out.println("operation " + operation.getName() + ", faults " + operation.getFaults().size());
            if (operation.getFaults().size() != 1) {
                throw new IllegalStateException("the fault is not declared");
            }
            held = bus.getExtension(PolicyEngine.class)
                    .getEffectiveClientRequestPolicy(endpoint.getEndpointInfo(), operation, conduit, null)
                    .getChosenAlternative().stream().map(assertion -> assertion.getName()).map(QName::getLocalPart)
                    .collect(Collectors.joining(" "));
            System.out.println("policy: " + held);
        }
        for (int i = 1; i < arguments.length; i++) {
            if (!(" " + held + " ").contains(" " + arguments[i] + " ")) {
                throw new IllegalStateException("the policy does not hold " + arguments[i]);
            }
        }
        System.out.println("LOADED " + arguments[0]);
        System.exit(0);
    }
}
