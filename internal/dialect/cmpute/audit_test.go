package cmpute_test

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/neap-cloud/neap/internal/catalog"
	"github.com/neap-cloud/neap/internal/dialect/cmpute"
	"github.com/neap-cloud/neap/internal/identity"
	"github.com/neap-cloud/neap/internal/op"
	"github.com/neap-cloud/neap/internal/store"
)

// book is an auditor that remembers what was recorded last.
type book struct{ last op.AuditEntry }

func (b *book) Record(_ context.Context, _ *store.Tx, entry op.AuditEntry) error {
	b.last = entry
	return nil
}

func TestTheAuditNamesWhatWasMadeAndChanged(t *testing.T) {
	ana := start(t)
	notes := &book{}
	server, err := op.Mount(op.Config{
		Dialects:      []op.Dialect{cmpute.Dialect(cmpute.Deps{Identity: ana.n.Identity, Catalog: catalog.AWS()})},
		Authenticator: ana.n.Identity, Auditor: notes,
	})
	if err != nil {
		t.Fatal(err)
	}
	bo := ana.join(t, "bo@acme.example", identity.TeamViewer)
	ana.crew("Crew")
	old := ana.attach("Old")
	for _, c := range []struct{ request, body, object string }{
		{"POST /api/users", `{"UserName":"cy@acme.example","FullName":"Cy","Role":"User"}`, "u-"},
		{"PUT " + bo.address(), `{"FullName":"Bo"}`, bo.id.ID},
		{"POST /api/v2/Teams", `{"Name":"New"}`, "ugr-"},
		{"PUT /api/v2/Teams/Crew/Users", `{"UserName":"bo@acme.example"}`, "ugr-"},
		{"DELETE /api/v2/Teams/Crew", "", "ugr-"},
		{"POST /api/CloudFrontAWS", `{"Name":"New","BaseRegion":"us-east-1","RoleArn":"` + roleArn + `"}`, "act-"},
		{"PUT /api/" + old, `{"Name":"Older"}`, "act" + strings.ToLower(old[1:])},
		{"DELETE /api/" + old, "", "act" + strings.ToLower(old[1:])},
	} {
		method, path, _ := strings.Cut(c.request, " ")
		request := httptest.NewRequest(method, path, strings.NewReader(c.body))
		request.Header.Set("Authorization", "ApiKey "+ana.key)
		recorder := httptest.NewRecorder()
		server.ServeHTTP(recorder, request)
		if got := notes.last; recorder.Code != 200 || got.Outcome != "done" || !strings.HasPrefix(got.Object, c.object) || got.Method != method || got.Path != path {
			t.Errorf("%s: %d %s, recorded %+v", c.request, recorder.Code, recorder.Body, got)
		}
	}
}
