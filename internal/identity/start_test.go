package identity

import "testing"

func TestADatabaseKnowsItsOwnStartsAndNoneOfACopys(t *testing.T) {
	i := Installation{Generation: 500, Starts: []int64{100, 300, 500}}
	for generation, known := range map[int64]bool{0: true, 50: true, 100: true, 300: true, 500: true, 200: false, 400: false, 501: false} {
		if i.Knows(generation) != known {
			t.Errorf("generation %d: known %v", generation, !known)
		}
	}
	i.start()
	if i.Generation <= 500 || !i.Knows(i.Generation) || !i.Knows(300) {
		t.Errorf("after another start: %+v", i)
	}
	if (Installation{Generation: 7}).Knows(8) || !(Installation{Generation: 7}).Knows(7) {
		t.Error("a database of a release that counted its starts is not judged by their number")
	}
}

func TestOnlyTheNewestStartsAreRememberedAndOlderOnesAreTakenForKnown(t *testing.T) {
	var i Installation
	i.start()
	first := i.Generation
	for range rememberedStarts + 5 {
		i.start()
	}
	if len(i.Starts) != rememberedStarts || !i.Knows(first) || !i.Knows(i.Generation) {
		t.Errorf("%d starts are remembered", len(i.Starts))
	}
}
