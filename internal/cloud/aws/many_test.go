package aws

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/neap-cloud/neap/internal/cloud"
)

func TestOfNamesThatAWSRefusesTogetherTheKnownOnesAreFound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		there := rapid.SliceOfN(rapid.Bool(), 1, 100).Draw(t, "there")
		names, want, calls := []string{}, []string{}, 0
		for n, is := range there {
			names = append(names, fmt.Sprint(n, is))
			if is {
				want = append(want, fmt.Sprint(n, is))
			}
		}
		found, err := known(names, func(asked []string) ([]string, error) {
			calls++
			for _, name := range asked {
				if !slices.Contains(want, name) {
					return nil, &cloud.Refusal{Kind: cloud.Unknown}
				}
			}
			return asked, nil
		})
		if err != nil || !slices.Equal(found, want) && len(want) > 0 || len(found) != len(want) {
			t.Fatalf("%v, %v; want %v", found, err, want)
		}
		if missing := len(names) - len(want); calls > 1+2*7*missing {
			t.Fatalf("%d calls for %d of which %d are missing", calls, len(names), missing)
		}
	})
}

func TestATroubleAmongNamesIsNotTakenForAbsence(t *testing.T) {
	trouble := errors.New("no answer")
	_, err := known([]string{"a", "b", "c", "d"}, func(asked []string) ([]string, error) {
		switch {
		case len(asked) > 2:
			return nil, &cloud.Refusal{Kind: cloud.Unknown}
		case slices.Contains(asked, "d"):
			return nil, trouble
		}
		return asked, nil
	})
	if !errors.Is(err, trouble) {
		t.Error(err)
	}
}
