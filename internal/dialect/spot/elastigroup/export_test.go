package elastigroup

import "testing"

// BadBody is a request to create a group that must be refused at Field.
type BadBody struct {
	Field, Says string
	Body        []byte
}

// BadBodies are the bad inputs as whole requests, for tests against the running app.
func BadBodies(t testing.TB) []BadBody {
	t.Helper()
	var bodies []BadBody
	for _, c := range badInput() {
		body := change(t, decoded(t, string(read(t, "group-small.json"))), c.set, c.to)
		bodies = append(bodies, BadBody{c.field, c.says, encoded(t, body)})
	}
	return bodies
}

// Corrected is the published full request with its corrections.
func Corrected(t testing.TB) []byte { return corrected(t) }
