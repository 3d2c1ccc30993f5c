#!/usr/bin/env bash
# XML::Compile 1.63 (Perl) cannot write an amount that it has read, where the type has a pattern.
#
# Guessed:  what its reader makes of a valid document its writer writes again, an amount of two decimals with two.
# Happens:  an xs:decimal is read as a Math::BigFloat. Where its type has a pattern, the writer ends with "Can't call Math::BigFloat->textContent": it takes every object for a node of
#           XML. The same goes for an amount that was computed by Math::BigFloat. Without a pattern it is written, but without the zeros at its end (100.50 as 100.5,
#           1000000.00 as 1000000). A text ("100.50") is written as it is given, with a pattern and without, and sprintf "%.2f" makes such a text of either.
# Product:  the amounts of a voucher have a pattern and exactly two decimals (FB011), so a delivery that was read cannot be sent on, nor a computed amount be sent.
#           docs/clients/field.md (XML::Compile) says to give amounts as texts.
#
# Needs perl with Debian 12's package libxml-compile-perl, or root with apt-get to install it. Exit 0: it still does so. Exit 1: it does something else. Exit 2: a tool is missing.
set -euo pipefail
version=1.63
installed() { [ "$(perl -MXML::Compile -e 'print XML::Compile->VERSION' 2>/dev/null)" = "$version" ]; }
if ! installed; then
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive nice apt-get install -y -qq "libxml-compile-perl=$version-3"; } >/dev/null 2>&1 && installed ||
    { echo "Debian 12's package libxml-compile-perl ($version-3) is needed"; exit 2; }
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/try.pl" <<'PERL'
use strict;
use warnings;
use Math::BigFloat;
use XML::Compile::Schema;
use XML::LibXML;

my $schema = XML::Compile::Schema->new(<<'XSD');
<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:t="urn:t" targetNamespace="urn:t" elementFormDefault="qualified">
  <xs:simpleType name="AmountType"><xs:restriction base="xs:decimal"><xs:fractionDigits value="2"/><xs:pattern value="[0-9]{1,11}[.][0-9]{2}"/></xs:restriction></xs:simpleType>
  <xs:element name="Amount" type="t:AmountType"/>
  <xs:element name="Plain" type="xs:decimal"/>
</xs:schema>
XSD

sub written {
    my ($element, $value) = @_;
    my $document = XML::LibXML::Document->new('1.0', 'UTF-8');
    my $node = eval { $schema->compile(WRITER => "{urn:t}$element")->($document, $value) };
    return $node->textContent if $node;
    return $@ =~ /Math::BigFloat->textContent/ ? 'not written' : "refused: $@";
}

sub seen {
    my ($element, $amount) = @_;
    my $read = $schema->compile(READER => "{urn:t}$element")->("<$element xmlns=\"urn:t\">$amount</$element>");
    return join ', ', map { "$$_[0]: " . written($element, $$_[1]) } ['read', $read], ['computed', Math::BigFloat->new($amount) * 1], ['a text', $amount], ['by sprintf', sprintf '%.2f', $read];
}

my %due = (
    'Amount 100.50'     => 'read: not written, computed: not written, a text: 100.50, by sprintf: 100.50',
    'Amount 1000000.00' => 'read: not written, computed: not written, a text: 1000000.00, by sprintf: 1000000.00',
    'Plain 100.50'      => 'read: 100.5, computed: 100.5, a text: 100.50, by sprintf: 100.50',
    'Plain 1000000.00'  => 'read: 1000000, computed: 1000000, a text: 1000000.00, by sprintf: 1000000.00',
);
my $changed = 0;
for my $case (sort keys %due) {
    my $seen = seen(split / /, $case);
    print "$case: $seen\n";
    $changed ||= $seen ne $due{$case};
}
print "the behaviour has changed\n" if $changed;
exit $changed;
PERL
perl "$work/try.pl"
