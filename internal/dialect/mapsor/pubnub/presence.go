package pubnub

import "context"

// Nobody's presence is kept. Clients that ask for it, or report theirs, get the forms that say so, and stay quiet.

type present struct {
	Subscribe string `path:"sub_key"`
	Channels  string `path:"channels"`
}

type somebody struct {
	present
	UUID string `path:"uuid"`
}

type anywhere struct {
	Subscribe string `path:"sub_key"`
}

type anybody struct {
	anywhere
	UUID string `path:"uuid"`
}

// form is an answer about presence; members are what it has beside its head.
func (c *companion) form(ctx context.Context, key string, members map[string]any) (map[string]any, error) {
	if _, err := c.Keys.Subscriber(ctx, key); err != nil {
		return nil, err
	}
	form := map[string]any{"status": 200, "message": "OK", "service": "Presence"}
	for name, value := range members {
		form[name] = value
	}
	return form, nil
}

func (c *companion) heartbeat(ctx context.Context, in present) (map[string]any, error) {
	return c.form(ctx, in.Subscribe, nil)
}

func (c *companion) leave(ctx context.Context, in present) (map[string]any, error) {
	return c.form(ctx, in.Subscribe, map[string]any{"action": "leave"})
}

func (c *companion) hereNow(ctx context.Context, in present) (map[string]any, error) {
	if len(namesOf(in.Channels)) > 1 {
		return c.everywhere(ctx, anywhere{in.Subscribe})
	}
	return c.form(ctx, in.Subscribe, map[string]any{"occupancy": 0, "uuids": []string{}})
}

func (c *companion) everywhere(ctx context.Context, in anywhere) (map[string]any, error) {
	return c.form(ctx, in.Subscribe, map[string]any{"payload": map[string]any{"channels": map[string]any{}, "total_channels": 0, "total_occupancy": 0}})
}

func (c *companion) whereNow(ctx context.Context, in anybody) (map[string]any, error) {
	return c.form(ctx, in.Subscribe, map[string]any{"payload": map[string]any{"channels": []string{}}})
}

func (c *companion) state(ctx context.Context, in somebody) (map[string]any, error) {
	return c.form(ctx, in.Subscribe, map[string]any{"uuid": in.UUID, "channel": in.Channels, "payload": map[string]any{}})
}
