package cloud

import (
	"cmp"
	"slices"
	"strings"
)

// QuotaKey names the limit that a market's instances count against: class and lifecycle, "Standard/spot". The class is "other" when no table knows the type.
func (m Market) QuotaKey() string {
	return cmp.Or(QuotaClass(m.Type), "other") + "/" + string(m.Lifecycle)
}

// QuotaClass is the group of families with one limit that a type belongs to, "" when the table has none.
func QuotaClass(typ string) string {
	for _, c := range quotaClasses() {
		for prefix := range strings.SplitSeq(c.prefixes, ",") {
			if strings.HasPrefix(typ, prefix) {
				return c.name
			}
		}
	}
	return ""
}

// IsQuotaClass reports whether the table has a class of this name.
func IsQuotaClass(name string) bool {
	return slices.ContainsFunc(quotaClasses(), func(c quotaClass) bool { return c.name == name })
}

// quotaClass is a group of families that share one limit on EC2.
type quotaClass struct{ name, prefixes string }

// quotaClasses are in order of look-up: the longer prefixes come first.
func quotaClasses() []quotaClass {
	return []quotaClass{
		{"Inf", "inf"}, {"Trn", "trn"}, {"DL", "dl"}, {"HPC", "hpc"}, {"Mac", "mac"}, {"High Memory", "u-,u7"}, {"G and VT", "g,vt"},
		{"P", "p"}, {"F", "f"}, {"X", "x"}, {"Standard", "a,c,d,h,i,m,r,t,z"},
	}
}
