package aws

// Actions are those of permissions, for tests that give a user just these.
func Actions() (actions []string) {
	for _, p := range permissions {
		actions = append(actions, p.action)
	}
	return actions
}
