package state

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // it names files, as OpenSSL does; nothing is proved by it
	"encoding/asn1"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"unicode/utf16"
)

// certificate is what of RFC 5280 stands before and at the subject.
type certificate struct {
	TBS struct {
		Raw        asn1.RawContent
		Version    int `asn1:"optional,explicit,default:0,tag:0"`
		Serial     asn1.RawValue
		Algorithm  asn1.RawValue
		Issuer     asn1.RawValue
		Validity   asn1.RawValue
		Subject    asn1.RawValue
		Key        asn1.RawValue
		IssuerID   asn1.BitString `asn1:"optional,tag:1"`
		SubjectID  asn1.BitString `asn1:"optional,tag:2"`
		Extensions asn1.RawValue  `asn1:"optional,explicit,tag:3"`
	}
	Algorithm asn1.RawValue
	Signature asn1.BitString
}

// attribute is one part of a name.
type attribute struct {
	Type  asn1.ObjectIdentifier
	Value asn1.RawValue
}

// subjectHash is X509_NAME_hash of OpenSSL (crypto/x509/x509_cmp.c): the first four bytes of the SHA-1 of the subject in
// canonical form, the lowest first.
func subjectHash(der []byte) (uint32, error) {
	var c certificate
	if _, err := asn1.Unmarshal(der, &c); err != nil {
		return 0, err
	}
	canonical, err := canonicalName(c.TBS.Subject.Bytes)
	if err != nil {
		return 0, err
	}
	sum := sha1.Sum(canonical) //nolint:gosec // as above
	return binary.LittleEndian.Uint32(sum[:4]), nil
}

// canonicalName is the canonical encoding of crypto/x509/x_name.c: the sets of attributes without the sequence around them,
// texts as UTF-8, in lower case (of ASCII), without space at the ends and with single spaces between words.
func canonicalName(sets []byte) ([]byte, error) {
	var out []byte
	for len(sets) > 0 {
		var set asn1.RawValue
		rest, err := asn1.Unmarshal(sets, &set)
		if err != nil {
			return nil, err
		}
		if sets = rest; set.Tag != asn1.TagSet {
			return nil, errors.New("a name that is no sequence of sets")
		}
		one, err := canonicalSet(set.Bytes)
		if err != nil {
			return nil, err
		}
		out = append(out, one...)
	}
	return out, nil
}

func canonicalSet(attributes []byte) ([]byte, error) {
	var all [][]byte
	for len(attributes) > 0 {
		var a attribute
		rest, err := asn1.Unmarshal(attributes, &a)
		if err != nil {
			return nil, err
		}
		attributes = rest
		if text, ok := textOf(a.Value); ok {
			a.Value = asn1.RawValue{Class: asn1.ClassUniversal, Tag: asn1.TagUTF8String, Bytes: []byte(canonicalText(text))}
		}
		a.Value.FullBytes = nil
		one, err := asn1.Marshal(a)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	slices.SortFunc(all, bytes.Compare)
	return asn1.Marshal(asn1.RawValue{Class: asn1.ClassUniversal, Tag: asn1.TagSet, IsCompound: true, Bytes: bytes.Join(all, nil)})
}

// textOf returns the text of a value of one of the string types.
func textOf(v asn1.RawValue) (string, bool) {
	switch v.Tag {
	case asn1.TagUTF8String, asn1.TagPrintableString, asn1.TagIA5String, 26: // 26 = VisibleString
		return string(v.Bytes), v.Class == asn1.ClassUniversal
	case asn1.TagT61String: // OpenSSL takes it as Latin-1
		runes := make([]rune, len(v.Bytes))
		for i, b := range v.Bytes {
			runes[i] = rune(b)
		}
		return string(runes), v.Class == asn1.ClassUniversal
	case asn1.TagBMPString:
		units := make([]uint16, len(v.Bytes)/2)
		for i := range units {
			units[i] = binary.BigEndian.Uint16(v.Bytes[2*i:])
		}
		return string(utf16.Decode(units)), v.Class == asn1.ClassUniversal
	}
	return "", false
}

// canonicalText treats ASCII only.
func canonicalText(s string) string {
	space := func(r rune) bool { return r == ' ' || '\t' <= r && r <= '\r' }
	lower := strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
	return strings.Join(strings.FieldsFunc(lower, space), " ")
}
