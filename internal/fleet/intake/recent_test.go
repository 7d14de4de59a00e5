package intake

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestWhoAsksSoonSharesAnAnswerAndNobodyAFault(t *testing.T) {
	reads := 0
	var fails error
	r := Recent[int]{For: time.Hour, Read: func(context.Context) (int, error) { reads++; return reads, fails }}
	want := func(answer int, fault error) {
		t.Helper()
		if got, err := r.Get(t.Context()); err != fault || err == nil && got != answer {
			t.Errorf("got %d, %v; want %d, %v", got, err, answer, fault)
		}
	}
	fails = errors.New("away")
	want(0, fails)
	fails = nil
	want(2, nil)
	want(2, nil)
	r.Forget()
	want(3, nil)
	r.For = 0
	want(4, nil)
}
