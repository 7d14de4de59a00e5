package cmpute

import (
	"regexp"
	"strings"
)

var (
	wireID = regexp.MustCompile(`^[A-Z]-[0-9A-F]{8}$`)
	ourID  = regexp.MustCompile(`^[a-z]+-[0-9a-f]{8}$`)
	inText = regexp.MustCompile(`\b(` + accountPrefix + `|` + teamPrefix + `)-[0-9a-f]{8}\b`)
)

// Kinds of ids: the letter that they begin with on the wire, and our prefix.
const (
	accountLetter, accountPrefix = "A", "act"
	teamLetter, teamPrefix       = "Z", "ugr"
)

// fromWire turns "A-4C1D09E2" into "act-4c1d09e2"; is is false for anything of another form, also in another case.
func fromWire(letter, prefix, id string) (ours string, is bool) {
	if !wireID.MatchString(id) || id[:1] != letter {
		return "", false
	}
	return prefix + strings.ToLower(id[1:]), true
}

// respelled is a sentence of identity's with the ids that clients know.
func respelled(sentence string) string {
	return inText.ReplaceAllStringFunc(sentence, func(id string) string {
		if account := toWire(accountLetter, accountPrefix, id); account != "" {
			return account
		}
		return toWire(teamLetter, teamPrefix, id)
	})
}

// toWire is the reverse; "" for what is no id of ours.
func toWire(letter, prefix, id string) string {
	digits, is := strings.CutPrefix(id, prefix)
	if !is || !ourID.MatchString(id) {
		return ""
	}
	return letter + strings.ToUpper(digits)
}
