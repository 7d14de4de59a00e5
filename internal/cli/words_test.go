package cli

import (
	"encoding/json"
	"testing"
)

func TestMoneyIsSummedExactly(t *testing.T) {
	tenths := make([]json.Number, 10)
	for i := range tenths {
		tenths[i] = "0.1"
	}
	if got := dollars(sum(tenths)); got != "$1.0000" {
		t.Error(got)
	}
	if got := saved("0.25", "1"); got != "75.0%" {
		t.Error(got)
	}
	if got := saved("0", "0"); got != "" {
		t.Error(got)
	}
	if got := saved("", "1"); got != "" {
		t.Error(got)
	}
}

func TestControlCharactersCannotReachATerminal(t *testing.T) {
	if got := oneLine("a\x1b[2Jb\nc\td\u009b0m"); got != "a[2Jb c d0m" {
		t.Errorf("%q", got)
	}
}
