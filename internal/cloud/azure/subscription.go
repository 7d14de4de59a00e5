package azure

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"golang.org/x/oauth2"

	"github.com/neap-cloud/neap/internal/fault"
)

const (
	subscriptionAPI = "2022-12-01"
	longestAnswer   = 64 << 10
)

// subscription is Azure's answer, as far as it is looked at; Error is set instead of State in a refusal.
type subscription struct {
	State string `json:"state"`
	Error struct {
		Code string `json:"code"`
	} `json:"error"`
}

func (a *Azure) checkSubscription(ctx context.Context, id string, token *oauth2.Token) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, a.management+"/subscriptions/"+id+"?api-version="+subscriptionAPI, nil)
	if err != nil {
		return silent(ctx, err)
	}
	token.SetAuthHeader(request)
	response, err := a.client.Do(request)
	if err != nil {
		return silent(ctx, err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(io.LimitReader(response.Body, longestAnswer))
	if err != nil {
		return silent(ctx, err)
	}
	var said subscription
	if json.Unmarshal(content, &said) != nil {
		said = subscription{} // the status has to do
	}
	return judge(response.StatusCode, said)
}

// judge turns Azure's answer about a subscription into what the user has to mend.
func judge(status int, said subscription) error {
	why := fmt.Errorf("subscription: status %d, code %.60q, state %.20q", status, said.Error.Code, said.State)
	wrong := func(field, sentence string) error { return fault.Field(field, "%s", sentence).With(why) }
	switch {
	case status == http.StatusOK && (said.State == "Disabled" || said.State == "Deleted"):
		return wrong(FieldSubscriptionID, "Azure says that the subscription is "+said.State+"; reactivate it, or take another.")
	case status == http.StatusOK && said.State != "":
		return nil
	case said.Error.Code == "InvalidAuthenticationTokenTenant":
		return wrong(FieldTenantID, "The subscription belongs to another tenant than the app; register the app in the subscription's tenant.")
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return wrong(FieldSubscriptionID, "Azure does not show this subscription to the app; give the app a role on it, Reader at least, under Access control (IAM).")
	case status == http.StatusNotFound, status == http.StatusBadRequest:
		return wrong(FieldSubscriptionID, "Azure shows the app no such subscription; check the id, and give the app a role on it under Access control (IAM).")
	}
	return unable(status, why)
}
