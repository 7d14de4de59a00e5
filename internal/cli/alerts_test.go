package cli

import (
	"strings"
	"testing"
)

const hold = `{"kind":"hold","account":"act-1","resource":"sig-1","message":"Half is gone.","opened":"2026-03-01T11:00:00Z","advice":"Look."}`

func TestAlertsAreShownWithWhatToDo(t *testing.T) {
	s := serve(t, map[string]reply{"GET /neap/v1/alerts": {body: `{"items":[` + hold +
		`,{"kind":"sealerLag","message":"Late.","opened":"2026-03-01T10:00:00Z","closed":"2026-03-01T10:05:00Z","advice":"Wait."}]}`}})
	got := neap(t, s, Hooks{}, "alerts", "--all")
	want := "KIND       ABOUT         STATE             AGE   MESSAGE\n" +
		"hold       sig-1         open              60m   Half is gone.\n" +
		"sealerLag  installation  over after 5m00s  2h00m  Late.\n"
	if strings.Join(strings.Fields(got.out), " ") != strings.Join(strings.Fields(want), " ") || !strings.Contains(s.requests()[0].line, "all=true") {
		t.Errorf("%+v\n%v", got, s.requests())
	}
	if got := neap(t, s, Hooks{}, "alerts", "-o", "wide"); !strings.Contains(got.out, "Look.") {
		t.Error(got.out)
	}
	none := serve(t, map[string]reply{"GET /neap/v1/alerts": {body: `{"items":[]}`}})
	if got := neap(t, none, Hooks{}, "alerts"); got.out != "No alerts.\n" {
		t.Errorf("%+v", got)
	}
}

func TestTheStatusEndsWithItsAlerts(t *testing.T) {
	s := serve(t, map[string]reply{"GET /neap/v1/status": {body: `{"version":"1","time":"2026-03-01T12:00:00Z","alerts":[` + hold + `]}`}})
	if got := neap(t, s, Hooks{}, "status"); !strings.Contains(got.out, "version  1\n") || !strings.Contains(got.out, "hold  sig-1  open   60m  Half is gone.") {
		t.Errorf("%+v", got)
	}
	calm := serve(t, map[string]reply{"GET /neap/v1/status": {body: `{"version":"1","alerts":[]}`}})
	if got := neap(t, calm, Hooks{}, "status"); strings.Contains(got.out, "alerts") {
		t.Errorf("%+v", got)
	}
}

func TestAWebhookIsMadeListedSentAgainAndEnded(t *testing.T) {
	s := serve(t, map[string]reply{
		"POST /neap/v1/webhooks":                 {body: `{"id":"whk-1","url":"https://example.com/","kinds":["alert.*","launched"],"secret":"whsec_1"}`},
		"GET /neap/v1/webhooks":                  {body: `{"items":[{"id":"whk-1","url":"https://example.com/","kinds":["*"],"delivered":7,"trouble":"answered 503"}]}`},
		"GET /neap/v1/webhooks/whk-1/dead":       {body: `{"items":[{"id":"dlv-1","attempts":9,"died":"2026-03-01T11:00:00Z","trouble":"answered 503","letter":{"type":"launched","resource":"sig-1"}}]}`},
		"POST /neap/v1/webhooks/whk-1/redeliver": {body: `{"letters":1}`},
		"DELETE /neap/v1/webhooks/whk-1":         {body: `{}`},
	})
	for _, c := range []struct {
		args       []string
		out, asked string
	}{
		{[]string{"create", "https://example.com/", "--kind", "alert.*,launched"}, "whsec_1\n", `{"kinds":["alert.*","launched"],"url":"https://example.com/"}`},
		{[]string{"list"}, "answered 503", ""},
		{[]string{"dead", "whk-1"}, "launched", ""},
		{[]string{"redeliver", "whk-1", "dlv-1"}, "1 letters are sent again.\n", `{"deliveries":["dlv-1"]}`},
		{[]string{"delete", "whk-1"}, "Webhook whk-1 is no more.\n", ""},
	} {
		got := neap(t, s, Hooks{}, append([]string{"webhook"}, c.args...)...)
		asked := s.requests()[len(s.requests())-1]
		if got.code != ExitDone || !strings.Contains(got.out, c.out) || asked.body != c.asked {
			t.Errorf("%v: %+v asked %+v", c.args, got, asked)
		}
	}
}
