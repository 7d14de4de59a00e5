package webhook

import (
	"net/http"
	"testing"
	"time"
)

func TestDeadLettersAreForgottenSomeDayAndTheirAlertEndsWithThem(t *testing.T) {
	d := alone(t)
	r := newReceiver(t, d.now)
	r.answer(http.StatusInternalServerError)
	id := d.hook("act-1", r.URL, "*")
	d.tell("act-1", "one", "two")
	held := func() int {
		list, _, err := d.DeadLetters(t.Context(), "act-1", id, 10, "")
		must(t, err)
		return len(list)
	}
	d.steps("both letters are dead", 10*time.Minute, func() bool { return held() >= 2 })
	forget := func(keep time.Duration) {
		t.Helper()
		for _, rule := range Retention(keep) {
			_, err := d.DB.Prune(t.Context(), rule, d.now.Now(), 100)
			must(t, err)
		}
		must(t, d.calm(t.Context()))
	}
	for _, keep := range []time.Duration{time.Hour, -1} {
		forget(keep)
		check(t, "letters that are kept", held() >= 2, true)
		check(t, "alerts meanwhile", len(d.alerts()), 1)
	}
	r.answer(http.StatusOK)
	until(t, "the list and its alert are gone", func() bool { forget(time.Nanosecond); return held() == 0 && len(d.alerts()) == 0 })
}
