package dk.hjemmel.interop;

import dk.serviceplatformen.xml.schemas.authoritycontext._1.AuthorityContextType;
import hjemmel.oekonomi.finansbilag._1.DebetKreditType;
import hjemmel.oekonomi.finansbilag._1.FinansbilagKvitteringType;
import hjemmel.oekonomi.finansbilag._1.FinansbilagLeveranceType;
import hjemmel.oekonomi.finansbilag._1.FinansbilagType;
import hjemmel.oekonomi.finansbilag._1.FinansposteringType;
import hjemmel.oekonomi.finansbilag._1.KonteringElementType;
import hjemmel.oekonomi.finansbilag._1.KonteringType;
import hjemmel.oekonomi.finansbilag._1.KontrolType;
import hjemmel.oekonomi.finansbilag._1.ModtagFinansbilagStraksleveranceRequest;
import hjemmel.oekonomi.finansbilag._1.PosteringstypeType;
import hjemmel.oekonomi.finansbilag._1.SortimentReferenceType;
import hjemmel.oekonomi.finansbilag._1.ValutaType;
import hjemmel.oekonomi.finansbilag._1.wsdl.FinansbilagStraksPortType;
import hjemmel.oekonomi.finansbilag._1.wsdl.FinansbilagStraksService;
import hjemmel.oekonomi.finansbilag._1.wsdl.FinansbilagStraksTokenPortType;
import hjemmel.oekonomi.finansbilag._1.wsdl.FinansbilagStraksTokenService;
import hjemmel.oekonomi.finansbilag._1.wsdl.ServiceplatformFault;
import java.math.BigDecimal;
import java.net.URL;
import java.time.LocalDate;
import java.util.Map;
import java.util.UUID;
import javax.xml.datatype.DatatypeFactory;
import javax.xml.datatype.XMLGregorianCalendar;
import javax.xml.ws.soap.AddressingFeature;
import org.apache.cxf.frontend.ClientProxy;

/**
 * A supplier's client of SF1590_A Finans, from classes that CXF generated from the contract: sends one delivery, valid or with one thing wrong, and
 * says what it read in the receipt or the fault.
 *
 * <pre>
 *   Finance --binding token|authority-context --case accepted|rejected|warned|rule|schema --system UUID
 *           and what Call takes: --service --authority --ca --cert --key; for token --sts --entity-id --gateway-cert --sts-cert
 * </pre>
 */
public final class Finance {
    private Finance() {
    }

    public static void main(String[] arguments) throws Exception {
        Map<String, String> options = Call.options(arguments);
        Call call = new Call(options);
        try {
            tell(send(call, options));
            System.exit(0);
        } catch (ServiceplatformFault fault) {
            fault.getFaultInfo().getErrorList().getError()
                    .forEach(error -> System.out.println("fault " + error.getErrorCode() + ": " + error.getErrorText()));
            System.exit(3);
        }
    }

    private static FinansbilagKvitteringType send(Call call, Map<String, String> options) throws Exception {
        ModtagFinansbilagStraksleveranceRequest request = new ModtagFinansbilagStraksleveranceRequest();
        request.setFinansbilagLeverance(delivery(options));
        if (options.get("binding").equals("token")) {
            FinansbilagStraksTokenPortType port = new FinansbilagStraksTokenService(new URL(options.get("service") + "?wsdl=token"))
                    .getPort(FinansbilagStraksTokenPortType.class, new AddressingFeature(true, false));
            call.wire(ClientProxy.getClient(port), call.token(), "gateway-cert");
            return port.modtagFinansbilagStraksleverance(request);
        }
        AuthorityContextType context = new AuthorityContextType();
        context.setMunicipalityCVR(options.get("authority"));
        request.setAuthorityContext(context);
        FinansbilagStraksPortType port = new FinansbilagStraksService(new URL(options.get("service") + "?wsdl=authoritycontext"))
                .getPort(FinansbilagStraksPortType.class);
        call.showCertificate(ClientProxy.getClient(port));
        return port.modtagFinansbilagStraksleverance(request);
    }

    private static FinansbilagLeveranceType delivery(Map<String, String> options) throws Exception {
        String wrong = options.get("case");
        BigDecimal amount = new BigDecimal("1250.00");
        FinansbilagType voucher = new FinansbilagType();
        voucher.setBilagID(UUID.randomUUID().toString());
        voucher.setBilagNummer(wrong.equals("schema") ? "x".repeat(21) : "CXF-1");
        voucher.setBogfoeringsdato(day(wrong.equals("rejected") ? LocalDate.of(2025, 12, 31) : LocalDate.now()));
        voucher.setPosteringstype(PosteringstypeType.NOR);
        voucher.setBilagstekst("Æ, ø & å");
        if (wrong.equals("warned")) {
            voucher.setErstatterBilagID(UUID.randomUUID().toString());
        }
        voucher.getFinanspostering().add(posting(1, DebetKreditType.D, amount));
        voucher.getFinanspostering().add(posting(2, DebetKreditType.K, amount));

        KontrolType control = new KontrolType();
        control.setAntalBilag(1);
        control.setAntalPosteringer(2);
        control.setSumDebet(wrong.equals("rule") ? new BigDecimal("0.01") : amount);
        control.setSumKredit(amount);
        SortimentReferenceType list = new SortimentReferenceType();
        list.setUUID(UUID.randomUUID().toString());
        list.setNavn("Art");
        list.setVersion("1");
        list.setGyldigFra(day(LocalDate.now()));

        FinansbilagLeveranceType delivery = new FinansbilagLeveranceType();
        delivery.setLeveranceID(UUID.randomUUID().toString());
        delivery.setAfsenderItSystem(options.get("system"));
        delivery.setAfsenderMyndighed("urn:oio:cvr-nr:" + options.get("authority"));
        delivery.setModtagerMyndighed("urn:oio:cvr-nr:" + options.get("authority"));
        delivery.setAfsendtTidspunkt(DatatypeFactory.newInstance().newXMLGregorianCalendar(java.time.Instant.now().toString()));
        delivery.setSortimentReference(list);
        delivery.setKontrol(control);
        delivery.getFinansbilag().add(voucher);
        return delivery;
    }

    private static FinansposteringType posting(long number, DebetKreditType side, BigDecimal amount) {
        KonteringElementType element = new KonteringElementType();
        element.setDelsortiment("Art");
        element.setKode("22.0");
        KonteringType coding = new KonteringType();
        coding.getElement().add(element);
        FinansposteringType posting = new FinansposteringType();
        posting.setPosteringNummer(number);
        posting.setDebetKredit(side);
        posting.setBeloeb(amount);
        posting.setValuta(ValutaType.DKK);
        posting.setKontering(coding);
        return posting;
    }

    /** A day without a time zone, which GregorianCalendar would add. */
    private static XMLGregorianCalendar day(LocalDate day) throws Exception {
        return DatatypeFactory.newInstance().newXMLGregorianCalendar(day.toString());
    }

    private static void tell(FinansbilagKvitteringType receipt) {
        System.out.println("receipt for " + receipt.getLeveranceID());
        if (receipt.getForretningskvittering() != null) {
            System.out.println("business " + receipt.getForretningskvittering().getForretningsValideringsKode());
        }
        if (receipt.getTransportKvittering() != null) {
            System.out.println("transport " + receipt.getTransportKvittering().getTransportValideringsKode());
        }
        receipt.getBilagResultat().forEach(result -> {
            result.getPostering().forEach(posting -> System.out.println("  " + posting.getPosteringNummer() + " -> " + posting.getKontostreng()));
            result.getFejl().forEach(error -> System.out.println("voucher " + result.getResultat() + " " + error.getFejlKode() + " " + error.getMaalgruppe()));
        });
        if (receipt.getPlatform() != null) {
            receipt.getPlatform().getFejl().forEach(error -> System.out.println(
                    "platform " + error.getAlvor() + " " + error.getFejlKode() + " " + error.getMaalgruppe() + ": " + error.getTekst().get(0).getValue()));
        }
    }
}
