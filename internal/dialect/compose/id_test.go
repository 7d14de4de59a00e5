package compose

import (
	"encoding/hex"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func all() []int { return []int{organisations, people, programs, groups} }

func TestEveryIDOfOursIsSpelledAndReadAgain(t *testing.T) {
	form := regexp.MustCompile(`^[0-9a-f]{24}$`)
	rapid.Check(t, func(t *rapid.T) {
		ours := rapid.StringMatching(`([1-9][0-9]{11}|(u|pu|ugr)-[0-9a-f]{8})`).Draw(t, "ours")
		wire := ID(ours)
		if !form.MatchString(wire) {
			t.Fatalf("%s is spelled %q", ours, wire)
		}
		if again, is := ourID(wire, all()...); !is || again != ours {
			t.Fatalf("%s is spelled %s, and read as %q", ours, wire, again)
		}
	})
}

func TestForeignTextIsNoID(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[0-9a-f]{24}`).Draw(t, "text")
		if ours, is := ourID(text, all()...); is {
			t.Fatalf("%s is read as %s", text, ours)
		}
	})
	good := ID("u-0a1b2c3d")
	for _, text := range []string{"", "u-0a1b2c3d", strings.ToUpper(good), good[:22], good + "00", " " + good, strings.Repeat("0", 24), strings.Repeat("f", 24)} {
		if ours, is := ourID(text, all()...); is {
			t.Errorf("%q is read as %s", text, ours)
		}
	}
}

func TestOneWrongDigitIsNoticed(t *testing.T) {
	good := ID("ugr-0a1b2c3d")
	for n := range good {
		for _, digit := range "0123456789abcdef" {
			wrong := good[:n] + string(digit) + good[n+1:]
			if _, is := ourID(wrong, all()...); is != (wrong == good) {
				t.Errorf("%s is taken for an id: %v", wrong, is)
			}
		}
	}
}

// What reads as an id is spelled as the same text again, so that an object has one id only.
func TestWhateverReadsAsAnIDIsSpelledTheSameWay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		body := rapid.SliceOfN(rapid.Byte(), bodySize, bodySize).Draw(t, "body")
		body[0] %= 6
		text := hex.EncodeToString(append(body, sum(body)...))
		if ours, is := ourID(text, all()...); is && ID(ours) != text {
			t.Fatalf("%s is read as %s, which is spelled %s", text, ours, ID(ours))
		}
	})
}

func TestAnIDIsReadOnlyAsWhatItIs(t *testing.T) {
	if ours, is := ourID(ID("pu-0a1b2c3d"), people, groups); is {
		t.Errorf("a program is read as %s", ours)
	}
}

func TestIDsOfNoKindHaveNoSpelling(t *testing.T) {
	for _, ours := range []string{"", "act-0a1b2c3d", "u-0a1b2c3", "u-0A1B2C3D", "u-xxxxxxxx", "12345678901", "1234567890123", "-23456789012", "u-+a1b2c3d"} {
		if wire := ID(ours); wire != "" {
			t.Errorf("%q is spelled %s", ours, wire)
		}
	}
}
