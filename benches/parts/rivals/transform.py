"""libxml2 and libxslt over an answer: parsed, filtered by a stylesheet, written. Each line on standard input asks for so
many passes, each line on standard output tells the nanoseconds of CPU that they took.

The stylesheet does a part of what the filter does: payments outside the window go, and what no rule names goes."""

import sys
import time

from lxml import etree

STYLESHEET = """
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:yi="urn:oio:sts:ydelse:ydelseindeks:6" xmlns:oei="urn:oio:sts:ydelse:oekonomiskeffektueringindeks:6"
    xmlns:gd="urn:oio:sts:generelledefinitioner:6" xmlns:sd="urn:oio:sagdok:3.0.0">
  <xsl:template match="*"><xsl:copy><xsl:apply-templates/></xsl:copy></xsl:template>
  <xsl:template match="yi:BevillingFiltreretOejebliksbillede | yi:Antal"/>
  <xsl:template match="sd:NoteTekst | sd:Tidspunkt | sd:BrugerRef | sd:AktoerRef | sd:FejlbeskedTekst
      | gd:StsTidspunkt | gd:LokalUdvidelseListe | oei:Virkning | gd:Virkning | oei:ItSystem | oei:FuldtNavn
      | oei:BrugervendtNoegle | oei:Udbetalingsafdeling | oei:SendtTilUdbetalingTekst | oei:UdbetaltTekst
      | oei:BeloebEfterSkatATP | oei:BeloebSendtTilUdbetaling | oei:BeloebUdbetalt | oei:BevilgetYdelseRef"/>
  <xsl:template match="yi:OekonomiskEffektueringFiltreretOejebliksbillede[
      translate(substring(oei:Registrering/oei:AttributListe/oei:Egenskaber/oei:Dispositionsdato, 1, 7), '-', '') &lt; 202608]"
      priority="2"/>
</xsl:stylesheet>
"""

with open(sys.argv[1], "rb") as file:
    answer = file.read()
transform = etree.XSLT(etree.fromstring(STYLESHEET))
parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True)
seen = 0
for line in sys.stdin:
    started = time.thread_time_ns()
    for _ in range(int(line)):
        seen += len(bytes(transform(etree.fromstring(answer, parser))))
    print(time.thread_time_ns() - started, flush=True)
print(seen, file=sys.stderr)
