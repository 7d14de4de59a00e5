package cloud

import "strings"

// QuotaKey names the limit that a market's instances count against: class and lifecycle, "Standard/spot". The class is "other" when no table knows the type.
func (m Market) QuotaKey() string {
	for _, c := range quotaClasses() {
		for prefix := range strings.SplitSeq(c.prefixes, ",") {
			if strings.HasPrefix(m.Type, prefix) {
				return c.name + "/" + string(m.Lifecycle)
			}
		}
	}
	return "other/" + string(m.Lifecycle)
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
