package cmpute

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
)

func named(from, to int) (items []string) {
	for n := from; n < to; n++ {
		items = append(items, fmt.Sprintf("n%04d", n))
	}
	return items
}

func itself(item string) string { return item }

func TestPagesShowEveryObjectOnce(t *testing.T) {
	for _, count := range []int{0, 1, 99, 100, 101, 200, 250} {
		items := named(0, count)
		slices.Reverse(items) // the order in which they were kept is not that in which they are shown
		var shown []string
		pages, token := 0, ""
		for {
			page, err := pageOf(items, token, itself)
			if err != nil {
				t.Fatal(err)
			}
			shown, token, pages = append(shown, page.Items...), page.Next, pages+1
			if token == "" {
				break
			}
		}
		if !slices.Equal(shown, named(0, count)) || pages != max(1, (count+99)/100) {
			t.Errorf("of %d, %d are shown on %d pages", count, len(shown), pages)
		}
	}
}

func TestAPageGoesOnWhereTheLastOneEndedWhateverHappenedMeanwhile(t *testing.T) {
	first, err := pageOf(named(0, 250), "", itself)
	if err != nil {
		t.Fatal(err)
	}
	// The last one shown and some before it are gone, and one was made that comes before.
	second, err := pageOf(append(named(100, 250), "n0005x"), first.Next, itself)
	if err != nil || !slices.Equal(second.Items, named(100, 200)) {
		t.Errorf("the second page: %v %v", second.Items, err)
	}
}

// thing has a member of every sort that a filter may meet.
type thing struct {
	Name  string
	Size  float
	Count int
	Live  bool
	Tags  []string
	Note  *string
}

func TestFiltersCompareByWhatAMemberIs(t *testing.T) {
	things := []thing{{"a", 9, 1, true, []string{"x", "y"}, nil}, {"b", 10, 2, false, nil, nil}, {"c", 11.5, 10, true, []string{"y"}, nil}}
	for filters, want := range map[string]string{
		``:   "abc",
		`[]`: "abc",
		`[{"Name":"Size","Operation":"GreaterThan","Values":["9.5"]}]`:                                                "bc",
		`[{"Name":"count","Operation":"LessThan","Values":[10]}]`:                                                     "ab",
		`[{"Name":"Live","Operation":"Equals","Values":[true]}]`:                                                      "ac",
		`[{"Name":"Tags","Operation":"In","Values":["x","z"]}]`:                                                       "a",
		`[{"Name":"Tags","Operation":"NotEquals","Values":["x"]}]`:                                                    "bc",
		`[{"Name":"Name","Operation":"5","Values":["a","c"]},{"Name":"Size","Operation":"GreaterThan","Values":[9]}]`: "c",
		`[{"Name":"Note","Operation":"NotEquals","Values":["x"]}]`:                                                    "abc",
	} {
		kept, err := filtered(things, filters)
		got := ""
		for _, one := range kept {
			got += one.Name
		}
		if err != nil || got != want {
			t.Errorf("%s keeps %q: %v; want %q", filters, got, err, want)
		}
	}
	for _, filters := range []string{`{`, `{}`, `[7]`, `[{"Name":"Colour"}]`, `[{"Name":"Name","Operation":6}]`, `[{"Name":"Name","Operation":{}}]`} {
		if _, err := filtered([]thing(nil), filters); err == nil {
			t.Errorf("%s is accepted", filters)
		}
	}
}

func FuzzFiltersKeepOnlyWhatThereWas(f *testing.F) {
	for _, seed := range []string{`[{"Name":"Size","Operation":1,"Values":[1]}]`, `[{"Name":"Tags","Operation":"In","Values":null}]`, `[{}]`, `null`} {
		f.Add(seed)
	}
	things := []thing{{Name: "a", Tags: []string{"x"}}, {Name: "b", Size: 2}}
	f.Fuzz(func(t *testing.T, filters string) {
		kept, err := filtered(things, filters)
		if err != nil && kept != nil || len(kept) > len(things) {
			t.Errorf("%q keeps %v: %v", filters, kept, err)
		}
		if err == nil && filters != "" && !json.Valid([]byte(filters)) {
			t.Errorf("%q is read", filters)
		}
	})
}
