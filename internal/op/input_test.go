package op

import (
	"context"
	"strings"
	"testing"
)

func TestQueryValuesAreBoundAndRefusedByName(t *testing.T) {
	feed := func(query string) string { return "PUT /zoo/animal/ani-1/feed?" + query }
	play(t, []scenario{
		{name: "values of every type are bound", request: feed("amount=2.5&food=fish&at=8,12&at=18&wet=true&until=2024-01-02"), status: 200,
			want: []string{`"amount":2.5`, `"food":"fish"`, `"at":[8,12,18]`, `"wet":true`, `"until":"2024-01-02"`}},
		{name: "what is absent takes its default", request: feed("amount=0"), status: 200, want: []string{`"amount":0`, `"food":"hay"`, `"at":null`}},
		{name: "a name in another case is understood", request: feed("AMOUNT=1&Food=fish"), status: 200, want: []string{`"food":"fish"`}},
		{name: "an unknown name is ignored", request: feed("amount=1&colour=red"), status: 200},
		{name: "a required value is asked for", request: feed("food=hay"), status: 400, want: []string{`"Field":"amount"`, "is required"}},
		{name: "an optional value has its bounds too", request: feed("amount=51"), status: 400, want: []string{`"Field":"amount"`, "50"}},
		{name: "text is no number", request: feed("amount=much"), status: 400, want: []string{`"Field":"amount"`, `must be a number, got \"much\"`}},
		{name: "nothing is no number", request: feed("amount="), status: 400, want: []string{`"Field":"amount"`}},
		{name: "a fraction is no whole number", request: feed("amount=1&at=1.5"), status: 400, want: []string{`"Field":"at"`, "a whole number"}},
		{name: "text is no truth", request: feed("amount=1&wet=maybe"), status: 400, want: []string{`"Field":"wet"`, "true or false"}},
		{name: "a value outside its set is refused with the set", request: feed("amount=1&food=stone"), status: 400,
			want: []string{`"Field":"food"`, `must be one of \"hay\", \"fish\"; got text \"stone\"`}},
		{name: "a type of its own says what it wants", request: feed("amount=1&until=tomorrow"), status: 400, want: []string{`"Field":"until"`, "a date has dashes"}},
		{name: "all faults are told together", request: feed("food=stone&at=x"), status: 400, want: []string{`"Field":"amount"`, `"Field":"food"`, `"Field":"at"`}},
		{name: "a number outside its range is refused", request: "POST /zoo/animal?times=4", extras: []string{`body:{"animal":{"name":"Ida"}}`}, status: 400,
			want: []string{`"Field":"times"`, "must be at most 3, got 4"}},
		{name: "a broken query is refused", request: feed("amount=%zz"), status: 400, want: []string{"query"}},
	})
}

func TestBodiesAreRead(t *testing.T) {
	deep := `{"animal":` + strings.Repeat(`{"a":`, 8) + "1" + strings.Repeat("}", 9)
	body := func(text string) []string { return []string{"body:" + text} }
	const create = "POST /zoo/animal"
	play(t, []scenario{
		{name: "a good body is accepted", request: create, extras: body(`{"animal":{"name":"Ida","legs":4}}`), status: 200},
		{name: "space around it is accepted", request: create, extras: body(" \n{\"animal\":{\"name\":\"Ida\"}}\n "), status: 200},
		{name: "unknown members are accepted", request: create, extras: body(`{"animal":{"name":"Ida","wings":2}}`), status: 200},
		{name: "a missing body is asked for", request: create, status: 400, want: []string{"A JSON body is required"}},
		{name: "an optional body may be missing", request: "DELETE /zoo/animal/ani-1", status: 202},
		{name: "an optional body is validated when it is there", request: "DELETE /zoo/animal/ani-1", extras: body(`{"words":3}`), status: 400, want: []string{`"Field":"words"`, "must be text, got 3"}},
		{name: "a cut body is refused with the reason", request: create, extras: body(`{"animal":{"name":"Ida"}`), status: 400, want: []string{"ends too early"}},
		{name: "malformed JSON is refused with its place", request: create, extras: body("{\n \"animal\": nope}"), status: 400, want: []string{"line 2, column 13"}},
		{name: "trailing garbage is refused", request: create, extras: body(`{"animal":{"name":"Ida"}} {}`), status: 400, want: []string{"not well-formed"}},
		{name: "a list is no document", request: create, extras: body(`[1,2]`), status: 400, want: []string{"must be a JSON object, got a list of 2 items"}},
		{name: "a repeated key is refused with its path", request: create, extras: body(`{"animal":{"name":"Ida","cage":{"number":1,"n\u0075mber":2}}}`), status: 400, want: []string{`"Field":"animal.cage.number"`, "twice"}},
		{name: "a body that is too deep is refused", request: create, extras: body(deep), status: 400, want: []string{"at most 8 levels"}},
		{name: "a body that is too large is 413 in the envelope", request: create, extras: body(`{"animal":{"name":"` + strings.Repeat("a", 5000) + `"}}`), status: 413, want: []string{"zooError", "at most 4096 bytes"}},
		{name: "an absurd number is refused", request: create, extras: body(`{"animal":{"name":"Ida","legs":1e400}}`), status: 400, want: []string{`"Field":"animal.legs"`}},
		{name: "a tiny number is refused before it costs memory", request: create, extras: body(`{"animal":{"name":"Ida","legs":1e-999999}}`), status: 400, want: []string{`"Field":"animal.legs"`}},
		{name: "a NUL character is refused", request: create, extras: body(`{"animal":{"name":"I\u0000a"}}`), status: 400, want: []string{`"Field":"animal.name"`}},
		{name: "half a surrogate pair is refused", request: create, extras: body(`{"animal":{"name":"\ud83d!"}}`), status: 400, want: []string{`"Field":"animal.name"`}},
		{name: "a whole surrogate pair is accepted", request: create, extras: body(`{"animal":{"name":"\ud83d\ude00 \\u0000"}}`), status: 200},
		{name: "broken UTF-8 is refused", request: create, extras: body("{\"animal\":{\"name\":\"\xff\"}}"), status: 400, want: []string{"UTF-8"}},
		{name: "explicit nulls reach an update", request: "PUT /zoo/animal/ani-1", extras: body(`{"animal":{"cage":null,"legs":4.0}}`), status: 200, want: []string{`{"animal":{"cage":null,"legs":4.0}}`}},
		{name: "an update without a body has an empty document", request: "PUT /zoo/animal/ani-1", status: 200, want: []string{`"zoo":null`}},
	})
}

func TestABodyOfUnknownLengthIsBoundedToo(t *testing.T) {
	h := open(t)
	w := h.ask("POST /zoo/animal", "body:"+strings.Repeat(" ", 4000)+`{"animal":{"name":"`+strings.Repeat("a", 500)+`"}}`)
	if w.Code != 413 || w.Header().Get("Connection") != "close" {
		t.Errorf("status %d, Connection %q; want 413 and close", w.Code, w.Header().Get("Connection"))
	}
}

func TestFuncRefusesTypesThatItCannotBind(t *testing.T) {
	mustPanic(t, "cannot bind", func() {
		Func(func(context.Context, struct {
			Map map[string]string `query:"map"`
		}) (string, error) {
			return "", nil
		})
	})
	mustPanic(t, "neither path nor query", func() {
		Func(func(context.Context, struct{ Loose string }) (string, error) { return "", nil })
	})
	mustPanic(t, "must be a struct", func() {
		Func(func(context.Context, int) (string, error) { return "", nil })
	})
}

func mustPanic(t *testing.T, words string, f func()) {
	t.Helper()
	defer func() {
		t.Helper()
		panicked := recover()
		if text, ok := panicked.(string); !ok || !strings.Contains(text, words) {
			t.Errorf("panicked with %v, want %q", panicked, words)
		}
	}()
	f()
}
