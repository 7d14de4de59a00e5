//go:build !crash

package main

import "github.com/neap-cloud/neap/internal/app"

// crashHook is nil in every build but the crash tests'.
func crashHook() func(point string) { return nil }

// unusual changes nothing in every build but the crash tests'.
func unusual() (nothing app.Unusual) { return nothing }
