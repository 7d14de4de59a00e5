package app

import (
	"context"
	"errors"
)

// ResetToken makes a new admin token in the data of a Neap that is not running; the old one stops working.
func ResetToken(ctx context.Context, c Config) (token string, err error) {
	a := &App{config: c}
	defer func() { err = errors.Join(err, a.close()) }()
	if err := a.open(ctx); err != nil {
		return "", err
	}
	return a.Identity.ResetAdmin(ctx)
}

// RotateKey replaces the server key in the data of a Neap that is not running, by next where the key is in no file.
func RotateKey(ctx context.Context, c Config, next []byte) (err error) {
	a := &App{config: c}
	defer func() { err = errors.Join(err, a.close()) }()
	if err := a.open(ctx); err != nil {
		return err
	}
	return a.Identity.RotateKey(ctx, next)
}
