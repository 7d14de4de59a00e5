package compose

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// Ids of this API are 24 lower-case hex digits: clients take exactly that for an id, and all else for a name. Ours are spelled so without keeping anything: one
// byte for the kind, five for the number in the id, and six of a checksum, so that an id that was not made here is not mistaken for one of ours.
const (
	numberSize = 5
	bodySize   = 1 + numberSize
	idSize     = 12
)

// kind is one form of our ids. Its place in the list of kinds is on the wire: append only.
type kind struct {
	prefix string
	base   int
	digits int
}

const (
	organisations = iota
	people
	programs
	groups
)

func kinds() []kind {
	return []kind{organisations: {"", 10, 12}, people: {"u-", 16, 8}, programs: {"pu-", 16, 8}, groups: {"ugr-", 16, 8}}
}

func (k kind) spell(number uint64) string {
	digits := strconv.FormatUint(number, k.base)
	return k.prefix + strings.Repeat("0", max(0, k.digits-len(digits))) + digits
}

// ID spells an id of ours as this API does; "" for one of no kind that this API shows.
func ID(ours string) string {
	for n, k := range kinds() {
		number, err := strconv.ParseUint(strings.TrimPrefix(ours, k.prefix), k.base, 8*numberSize)
		if err == nil && k.spell(number) == ours {
			body := []byte{byte(n), byte(number >> 32), byte(number >> 24), byte(number >> 16), byte(number >> 8), byte(number)}
			return hex.EncodeToString(append(body, sum(body)...))
		}
	}
	return ""
}

// ourID is the id of one of these kinds that the text spells; false for any other text.
func ourID(text string, ofKinds ...int) (ours string, is bool) {
	id, err := hex.DecodeString(text)
	if err != nil || len(id) != idSize || strings.ToLower(text) != text || !bytes.Equal(sum(id[:bodySize]), id[bodySize:]) {
		return "", false
	}
	var number uint64
	for _, b := range id[1:bodySize] {
		number = number<<8 | uint64(b)
	}
	for _, n := range ofKinds {
		if int(id[0]) == n {
			ours = kinds()[n].spell(number)
			return ours, ID(ours) == text
		}
	}
	return "", false
}

func sum(body []byte) []byte {
	whole := sha256.Sum256(fmt.Appendf(nil, "compose id %x", body))
	return whole[:idSize-bodySize]
}
