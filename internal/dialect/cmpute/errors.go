package cmpute

import (
	"net/http"
	"strings"

	"github.com/neap-cloud/neap/internal/fault"
)

func statuses() map[fault.Kind]int {
	return map[fault.Kind]int{
		fault.Invalid:         http.StatusBadRequest,
		fault.Unauthenticated: http.StatusUnauthorized,
		fault.Denied:          http.StatusForbidden,
		fault.NotFound:        http.StatusNotFound,
		fault.Conflict:        http.StatusConflict,
		fault.Exists:          http.StatusConflict,
		fault.Limit:           http.StatusTooManyRequests,
		fault.Unavailable:     http.StatusServiceUnavailable,
		fault.Internal:        http.StatusInternalServerError,
	}
}

// fields are identity's names of what this API calls otherwise.
func fields() map[string]string {
	return map[string]string{
		"name": "Name", "Users name": "FullName", "email": "UserName", "role": "Role", "userId": "Id", "userIds": "UserName",
		"account.name": "Name", "teams": "Teams", "maxRIPercentageToUse": "MaxRIPercentageToUse", "iamRole": "RoleArn",
	}
}

// spelled is a field as a client of a section knows it.
func spelled(section, field string) string {
	table := fields()
	for _, name := range []string{section + " " + field, field} {
		if known, is := table[name]; is {
			return known
		}
	}
	return field
}

// place is where a fault stands that is about no field.
func place(kind fault.Kind) string {
	switch kind {
	case fault.Unauthenticated, fault.Denied:
		return "Authorization"
	case fault.NotFound:
		return "Id"
	case fault.Invalid:
		return "Body"
	}
	return "Request"
}

// message says in a few words what went wrong; Errors say it in sentences.
func message(err *fault.Error) string {
	switch err.Kind {
	case fault.Invalid:
		return "Validation failed"
	case fault.Unauthenticated:
		return "Authentication failed"
	case fault.NotFound:
		noun := strings.Replace(err.Noun, "user group", "team", 1)
		if noun == "" {
			return "Not found"
		}
		return strings.ToUpper(noun[:1]) + noun[1:] + " not found"
	}
	return respelled(err.Sentence())
}
