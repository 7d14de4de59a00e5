package neap

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/journal"
	"github.com/neap-cloud/neap/internal/journal/webhook"
	"github.com/neap-cloud/neap/internal/op"
)

// notifyRows are alerts, and webhooks to be told of them.
func (d Deps) notifyRows() []op.Row {
	hook := op.Target{Noun: "webhook", Param: "webhookId", AccountOf: d.Webhooks.AccountOf}
	return []op.Row{
		{ID: "alerts.list", Route: "GET /neap/v1/alerts", Need: "neap:listAlerts", Title: "List alerts", Do: op.Func(d.alerts)},
		{ID: "webhooks.create", Route: "POST /neap/v1/webhooks", Need: "neap:createWebhook", Title: "Create a webhook", Mutates: true, Do: op.Func(d.createWebhook)},
		{ID: "webhooks.list", Route: "GET /neap/v1/webhooks", Need: "neap:listWebhooks", Title: "List webhooks", Do: op.Func(d.webhooks)},
		{ID: "webhooks.read", Route: "GET /neap/v1/webhooks/{webhookId}", Need: "neap:readWebhook", Title: "Read a webhook", Target: hook, Do: op.Func(d.webhook)},
		{ID: "webhooks.delete", Route: "DELETE /neap/v1/webhooks/{webhookId}", Need: "neap:deleteWebhook", Title: "Delete a webhook", Target: hook, Mutates: true, Do: op.Func(d.deleteWebhook)},
		{ID: "webhooks.dead", Route: "GET /neap/v1/webhooks/{webhookId}/dead", Need: "neap:readWebhook", Title: "List a webhook's dead letters", Target: hook, Do: op.Func(d.deadLetters)},
		{ID: "webhooks.redeliver", Route: "POST /neap/v1/webhooks/{webhookId}/redeliver", Need: "neap:redeliverWebhook", Title: "Send dead letters again", Target: hook, Mutates: true, Do: op.Func(d.redeliver)},
	}
}

// Alert is an alert on the wire.
type Alert struct {
	Kind     string     `json:"kind"`
	Account  string     `json:"account,omitempty"`  // none = the whole installation
	Resource string     `json:"resource,omitempty"` // none = all of the account
	Message  string     `json:"message"`
	Opened   time.Time  `json:"opened"`
	Closed   *time.Time `json:"closed,omitempty"`
	Advice   string     `json:"advice"`
}

func fromAlert(a journal.Alert) Alert {
	out := Alert{Kind: string(a.Kind), Account: a.Account, Resource: a.Resource, Message: a.Message, Opened: a.Opened}
	if !a.Closed.IsZero() {
		out.Closed = &a.Closed
	}
	for _, known := range journal.AlertKinds() {
		if known.Kind == a.Kind {
			out.Advice = known.Advice
		}
	}
	return out
}

// openAlerts are those of the caller's own accounts, and of the installation.
func (d Deps) openAlerts(ctx context.Context) ([]Alert, error) {
	accounts, err := d.Identity.Visible(ctx, op.CallOf(ctx).Caller)
	if err != nil {
		return nil, err
	}
	own := map[string]bool{"": true}
	for _, a := range accounts {
		own[a.ID] = true
	}
	open, err := d.Journal.Alerts(ctx, "")
	list := []Alert{}
	for _, a := range open {
		if own[a.Account] {
			list = append(list, fromAlert(a))
		}
	}
	return list, err
}

type listAlerts struct {
	All   bool   `query:"all" doc:"Also those that are over."`
	Limit int    `query:"limit" minimum:"1" maximum:"1000" default:"200" doc:"Alerts of the account on a page."`
	After string `query:"after" doc:"Next of the page before."`
}

// alerts are the account's own, newest first. The first page also holds those of the installation, which are few.
func (d Deps) alerts(ctx context.Context, in listAlerts) (page[Alert], error) {
	query := journal.AlertQuery{Open: !in.All, Limit: in.Limit, After: in.After}
	found, next, err := d.Journal.AlertHistory(ctx, op.CallOf(ctx).Account, query)
	if err != nil {
		return page[Alert]{}, err
	}
	if in.After == "" {
		general, _, err := d.Journal.AlertHistory(ctx, "", journal.AlertQuery{Open: !in.All, Limit: in.Limit})
		if err != nil {
			return page[Alert]{}, err
		}
		found = append(found, general...)
		slices.SortStableFunc(found, func(a, b journal.Alert) int { return b.Opened.Compare(a.Opened) })
	}
	items := make([]Alert, 0, len(found))
	for _, a := range found {
		items = append(items, fromAlert(a))
	}
	return page[Alert]{items, next}, nil
}

// hook is a webhook on the wire; Secret is there once, in the answer to its creation.
type hook struct {
	ID        string     `json:"id"`
	URL       string     `json:"url"`
	Kinds     []string   `json:"kinds"`
	Created   time.Time  `json:"created"`
	Delivered int64      `json:"delivered"`
	Attempts  int        `json:"failedAttempts"` // for the letter that is on its way
	Next      *time.Time `json:"nextAttempt,omitempty"`
	Trouble   string     `json:"trouble,omitempty"` // of the last attempt
	Secret    string     `json:"secret,omitempty"`
}

func fromWebhook(w webhook.Webhook) hook {
	out := hook{ID: w.ID, URL: w.URL, Kinds: w.Kinds, Created: w.Created, Delivered: w.Delivered, Attempts: w.Attempts, Trouble: w.Trouble}
	if !w.Next.IsZero() {
		out.Next = &w.Next
	}
	return out
}

type withBody struct {
	Body op.Document
}

func (d Deps) createWebhook(ctx context.Context, in withBody) (hook, error) {
	var asked struct {
		URL    string   `json:"url"`
		Kinds  []string `json:"kinds"`
		Secret string   `json:"secret"`
	}
	if err := json.Unmarshal(in.Body, &asked); err != nil {
		return hook{}, fault.Field("url", "Say where to, and what to tell of: {\"url\": \"https://example.com/hook\", \"kinds\": [\"*\"]}.")
	}
	call := op.CallOf(ctx)
	made, secret, err := d.Webhooks.Create(ctx, call.Account, webhook.Spec{URL: asked.URL, Kinds: asked.Kinds, Secret: asked.Secret})
	out := fromWebhook(made)
	out.Secret = secret
	return out, err
}

func (d Deps) webhooks(ctx context.Context, _ nothing) (page[hook], error) {
	list, err := d.Webhooks.List(ctx, op.CallOf(ctx).Account)
	items := make([]hook, 0, len(list))
	for _, w := range list {
		items = append(items, fromWebhook(w))
	}
	return page[hook]{Items: items}, err
}

type oneWebhook struct {
	ID string `path:"webhookId"`
}

func (d Deps) webhook(ctx context.Context, in oneWebhook) (hook, error) {
	found, err := d.Webhooks.Get(ctx, op.CallOf(ctx).Account, in.ID)
	return fromWebhook(found), err
}

func (d Deps) deleteWebhook(ctx context.Context, in oneWebhook) (nothing, error) {
	return nothing{}, d.Webhooks.Delete(ctx, op.CallOf(ctx).Account, in.ID)
}

// deadLetter is a delivery that was not taken.
type deadLetter struct {
	ID       string         `json:"id"`
	Letter   webhook.Letter `json:"letter"`
	Died     time.Time      `json:"died"`
	Attempts int            `json:"attempts"`
	Trouble  string         `json:"trouble"`
	Waiting  bool           `json:"waiting"` // to be sent again
}

type listDead struct {
	ID    string `path:"webhookId"`
	Limit int    `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"Letters on a page."`
	After string `query:"after" doc:"Next of the page before."`
}

func (d Deps) deadLetters(ctx context.Context, in listDead) (page[deadLetter], error) {
	found, next, err := d.Webhooks.DeadLetters(ctx, op.CallOf(ctx).Account, in.ID, in.Limit, in.After)
	items := make([]deadLetter, 0, len(found))
	for _, l := range found {
		items = append(items, deadLetter{l.Letter.ID, l.Letter, l.Died, l.Attempts, l.Trouble, l.Waiting})
	}
	return page[deadLetter]{items, next}, err
}

type sendAgain struct {
	ID   string `path:"webhookId"`
	Body op.Document
}

type sentAgain struct {
	Letters int `json:"letters"`
}

// redeliver takes {"deliveries": […]}; without a body all dead letters are sent again.
func (d Deps) redeliver(ctx context.Context, in sendAgain) (sentAgain, error) {
	var asked struct {
		Deliveries []string `json:"deliveries"`
	}
	if len(in.Body) > 0 {
		if err := json.Unmarshal(in.Body, &asked); err != nil {
			return sentAgain{}, fault.Field("deliveries", "Name deliveries, {\"deliveries\": [\"dlv-…\"]}, or send no body for all.")
		}
	}
	n, err := d.Webhooks.Redeliver(ctx, op.CallOf(ctx).Account, in.ID, asked.Deliveries)
	return sentAgain{n}, err
}
