package share

import (
	"fmt"
	"maps"
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

// of makes parts of names and weights in turn.
func of(pairs ...any) (parts []Part) {
	for i := 0; i < len(pairs); i += 2 {
		parts = append(parts, Part{pairs[i].(string), big.NewInt(int64(pairs[i+1].(int)))})
	}
	return parts
}

func TestAPriceIsSplitByLargestRemainderNamesAscendingAmongEquals(t *testing.T) {
	for _, c := range []struct {
		whole int64
		parts []Part
		want  map[string]int64
	}{
		{100, of("lightning", 7_200_000, "acme", 3_600_000), map[string]int64{"lightning": 67, "acme": 33}},
		{100, of("c", 1, "b", 1, "a", 1), map[string]int64{"a": 34, "b": 33, "c": 33}},
		{2, of("a", 1, "b", 1, "c", 1), map[string]int64{"a": 1, "b": 1, "c": 0}},
		{7, of("a", 0, "b", 5), map[string]int64{"a": 0, "b": 7}},
		{7, of("a", 0), map[string]int64{"a": 0}},
		{0, of("a", 3), map[string]int64{"a": 0}},
		{math.MaxInt64, of("a", math.MaxInt64, "b", math.MaxInt64), map[string]int64{"a": math.MaxInt64/2 + 1, "b": math.MaxInt64 / 2}},
		{5, nil, map[string]int64{}},
	} {
		if got := Split(c.whole, c.parts); !maps.Equal(got, c.want) {
			t.Errorf("%d over %v: %v, want %v", c.whole, c.parts, got, c.want)
		}
	}
}

func TestPartsAddUpToTheWholeAndNobodyIsMoreThanOneFromHisShare(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		whole := rapid.Int64Range(0, math.MaxInt64).Draw(t, "whole")
		var parts []Part
		total := new(big.Int)
		for i, w := range rapid.SliceOfN(rapid.Int64Range(0, math.MaxInt64), 1, 20).Draw(t, "weights") {
			parts = append(parts, Part{fmt.Sprintf("p%02d", i), big.NewInt(w)})
			total.Add(total, big.NewInt(w))
		}
		if total.Sign() == 0 {
			return
		}
		sum := new(big.Int)
		got := Split(whole, parts)
		for _, p := range parts {
			sum.Add(sum, big.NewInt(got[p.Name]))
			floor := new(big.Int).Div(new(big.Int).Mul(big.NewInt(whole), p.Weight), total).Int64()
			if got[p.Name] != floor && got[p.Name] != floor+1 {
				t.Fatalf("%s got %d of a share of %d", p.Name, got[p.Name], floor)
			}
		}
		if sum.Cmp(big.NewInt(whole)) != 0 {
			t.Fatalf("the parts add up to %v, not %d", sum, whole)
		}
	})
}
