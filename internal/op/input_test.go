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
		{name: "a number has to be finite", request: feed("amount=NaN"), status: 400, want: []string{`"Field":"amount"`, "must be a number"}},
		{name: "and not without end", request: feed("amount=-Inf"), status: 400, want: []string{`"Field":"amount"`, "must be a number"}},
		{name: "a broken query is refused", request: feed("amount=%zz"), status: 400, want: []string{"query"}},
	})
}

func TestHeadersAreBoundLikeQueries(t *testing.T) {
	const feed = "PUT /zoo/animal/ani-1/feed?amount=1"
	header := func(lines ...string) []string { return lines }
	play(t, []scenario{
		{name: "an absent header is no value, or its default", request: feed, status: 200, want: []string{`"key":null`, `"meals":1`}},
		{name: "a header is bound", request: feed, extras: header("Idempotency-Key: a b"), status: 200, want: []string{`"key":"a b"`}},
		{name: "its name has no case", request: feed, extras: header("idempotency-key: a", "X-MEALS: 3"), status: 200, want: []string{`"key":"a"`, `"meals":3`}},
		{name: "the query is another place", request: feed + "&Idempotency-Key=a&X-Meals=3", status: 200, want: []string{`"key":null`, `"meals":1`}},
		{name: "an empty header is a value", request: feed, extras: header("Idempotency-Key:"), status: 400, want: []string{`"Field":"Idempotency-Key"`, "must not be empty"}},
		{name: "a header has its bounds", request: feed, extras: header("Idempotency-Key: 1234567890"), status: 400, want: []string{`"Field":"Idempotency-Key"`, "at most 9 characters"}},
		{name: "and its pattern", request: feed, extras: header("Idempotency-Key: a\tb"), status: 400, want: []string{`"Field":"Idempotency-Key"`, "pattern"}},
		{name: "and its type", request: feed, extras: header("X-Meals: many"), status: 400, want: []string{`"Field":"X-Meals"`, "a whole number"}},
	})
	needs := Func(func(_ context.Context, in struct {
		Key string `header:"X-Key" required:"true"`
	}) (string, error) {
		return in.Key, nil
	})
	if _, err := needs.run(t.Context(), source{}); err == nil || !strings.Contains(err.Error(), "X-Key: is required: add it to the header") {
		t.Errorf("a required header that is absent: %v", err)
	}
}

func TestACallKnowsItsPeer(t *testing.T) {
	h := open(t)
	if h.ask("GET /zoo/animal/ani-1", "X-Forwarded-For: 203.0.113.9"); h.zoo.last.Remote != "192.0.2.1" {
		t.Errorf("the peer is %q", h.zoo.last.Remote)
	}
}

func TestASecretIsNotRepeatedInARefusal(t *testing.T) {
	animal := func(members string) []string { return []string{`body:{"animal":{"name":"Ida",` + members + `}}`} }
	const create = "POST /zoo/animal"
	play(t, []scenario{
		{name: "a variable of the wrong type", request: create, extras: animal(`"env":{"A":815815,"B":true}`), status: 400,
			want: []string{`"Field":"animal.env.A"`, "must be text or true or false, got a value that is not repeated here"}, wantNot: []string{"815"}},
		{name: "a variable that is no match", request: create, extras: animal(`"env":{"A":"CANARY"}`), status: 400, want: []string{`"Field":"animal.env.A"`, "a text that is not"}, wantNot: []string{"CANARY"}},
		{name: "a variable of many parts", request: create, extras: animal(`"env":{"A":["canary"]}`), status: 400, want: []string{"got a list of 1 item"}, wantNot: []string{"canary"}},
		{name: "no environment at all", request: create, extras: animal(`"env":"canary"`), status: 400, want: []string{`"Field":"animal.env"`, "must be an object, got a text that"}, wantNot: []string{"canary"}},
		{name: "a password", request: create, extras: animal(`"password":"CANARY"`), status: 400, want: []string{`"Field":"animal.password"`, "pattern"}, wantNot: []string{"CANARY"}},
		{name: "what is none is repeated", request: create, extras: animal(`"legs":"many"`), status: 400, want: []string{`got text \"many\"`}},
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
	mustPanic(t, "has no path, query or header tag", func() {
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
