package azure

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/oauth2"

	"github.com/neap-cloud/neap/internal/fault"
)

// signInRefusal is the sign-in's answer, as far as it is looked at: OAuth's word, and Azure's numbers, which say more (AADSTS…).
type signInRefusal struct {
	Error string `json:"error"`
	Codes []int  `json:"error_codes"`
}

// verdict is what one of Azure's refusals means to the one who handed the app in.
type verdict struct {
	codes    []int
	word     string // counts when no number is known
	field    string
	sentence string
}

// verdicts is in the order in which they are tried.
func verdicts() []verdict {
	return []verdict{
		{[]int{7000222}, "", FieldClientSecret, "Azure says that this secret has expired; make a new one under Certificates & secrets."},
		{[]int{7000215}, "", FieldClientSecret, "Azure says that this is not the app's secret; hand in the secret's value, which is shown only once, not its id."},
		{[]int{90002, 900023, 900021}, "", FieldTenantID, "Azure knows no such tenant; take the directory (tenant) id of the app registration's page."},
		{[]int{700016, 7000229}, "", FieldClientID, "The tenant has no such app; take the application (client) id of the app registration's page, and make sure that it is of this tenant."},
		{[]int{7000112}, "", FieldClientID, "The app is disabled in its tenant; enable it under Enterprise applications."},
		{[]int{53003}, "", FieldClientID, "A Conditional Access policy of the tenant keeps the app from signing in from here; exempt it, or this machine's address."},
		{nil, "invalid_client", FieldClientSecret, "Azure refuses the app's secret; make a new one under Certificates & secrets."},
		{nil, "unauthorized_client", FieldClientID, "Azure does not let this app sign in; check that it is registered in this tenant and enabled."},
		{nil, "invalid_request", FieldTenantID, "Azure does not take this tenant; take the directory (tenant) id of the app registration's page."},
	}
}

func refusedToken(ctx context.Context, err error) error {
	var refused *oauth2.RetrieveError
	if !errors.As(err, &refused) || refused.Response == nil {
		return silent(ctx, err)
	}
	status := refused.Response.StatusCode
	var said signInRefusal
	if json.Unmarshal(refused.Body, &said) != nil {
		said = signInRefusal{} // a proxy's page, perhaps: the status has to do
	}
	// What else Azure says may quote the request, so only the codes are kept.
	why := fmt.Errorf("token: status %d, error %.40q, codes %v", status, said.Error, said.Codes)
	if status == 400 || status == 401 || status == 403 {
		for _, v := range verdicts() {
			if slices.ContainsFunc(v.codes, func(code int) bool { return slices.Contains(said.Codes, code) }) || v.word != "" && v.word == said.Error {
				return fault.Field(v.field, "%s", v.sentence).With(why)
			}
		}
	}
	if status == 401 || status == 403 {
		return fault.Field(FieldClientSecret, "Azure refuses the app's sign-in (status %d); check its secret, and whether the tenant blocks it.", status).With(why)
	}
	return unable(status, why)
}

func unable(status int, why error) error {
	return fault.Of(fault.Unavailable, "cloud", "Azure could not check this (status %d); try again later.", status).With(why)
}

func silent(ctx context.Context, why error) error {
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return fault.Of(fault.Unavailable, "cloud", "The check of Azure was broken off.").With(ctx.Err())
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fault.Of(fault.Unavailable, "cloud", "Azure gave no answer within %s; try again later.", answerTime).With(ctx.Err())
	}
	return fault.Of(fault.Unavailable, "cloud", "Azure can't be reached; try again later, and check this machine's way out.").With(why)
}
