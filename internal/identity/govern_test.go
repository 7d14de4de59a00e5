package identity

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/neap-cloud/neap/internal/fault"
	"github.com/neap-cloud/neap/internal/store/storetest"
)

// Two replicas change one organisation at once: what may be there once is there once, and one administrator stays.
func TestRulesHoldWhenReplicasChangeAnOrganisationAtOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, at storetest.Place) {
		db := at.Open(t)
		first := New(Config{DB: db, Key: testKey})
		inst, _, _, err := first.Start(t.Context())
		must(t, err)
		replicas := []*Identity{first, New(Config{DB: db, Key: testKey})}
		org, ctx := inst.Organisation, t.Context()
		both := func(work func(n int, i *Identity) error) (done int32) {
			t.Helper()
			var succeeded atomic.Int32
			var wait sync.WaitGroup
			for n := range 8 {
				wait.Go(func() {
					switch err := work(n, replicas[n%2]); {
					case err == nil:
						succeeded.Add(1)
					case !fault.Is(err, fault.Exists) && !fault.Is(err, fault.Conflict):
						t.Error(err)
					}
				})
			}
			wait.Wait()
			return succeeded.Load()
		}
		check(t, "users of one address", both(func(_ int, i *Identity) error {
			return second2(i.CreateUser(ctx, NewUser{User: User{Organisation: org, Email: "ada@example.com", Role: Admin}}))
		}), 1)
		check(t, "teams of one name", both(func(_ int, i *Identity) error {
			return second(i.CreateGroup(ctx, Group{Organisation: org, Name: "team"}))
		}), 1)
		check(t, "accounts of one name", both(func(_ int, i *Identity) error {
			return second(i.AddAccount(ctx, Account{Organisation: org, Name: "prod", Cloud: simulated}))
		}), 1)

		list, err := first.Users(ctx, org) // the owner and Ada, both administrators
		must(t, err)
		check(t, "users", len(list), 2)
		both(func(n int, i *Identity) error {
			return second(i.UpdateUser(ctx, org, list[n%2].ID, func(u *User) error { u.Role = Viewer; return nil }))
		})
		admins := 0
		list, err = first.Users(ctx, org)
		must(t, err)
		for _, u := range list {
			if u.Role == Admin {
				admins++
			}
		}
		check(t, "administrators", admins, 1)

		_, secret, err := first.CreateUser(ctx, NewUser{User: User{Organisation: org, Program: true, Name: "robot"}, Token: "t"})
		must(t, err)
		caller, err := replicas[1].Authenticate(ctx, bearer(secret))
		must(t, err)
		must(t, second(first.UpdateUser(ctx, org, caller.Subject, func(u *User) error { u.Disabled = true; return nil })))
		_, err = replicas[1].Authenticate(ctx, bearer(secret))
		check(t, "the other replica's next request", fault.KindOf(err), fault.Unauthenticated)
	})
}
