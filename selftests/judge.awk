# SPDX-License-Identifier: GPL-2.0-or-later
#
# judge.awk - one program's KTAP as a subtest, and what it comes to.
# Cases of its subtests count, not the lines that sum them up.
# In: status limit verbose name n took processor failed_list counts.  See run.

BEGIN {
	plan = -1
	passed = failed = skipped = results = lines = 0
}

{
	line[++lines] = $0
}

/^1\.\.[0-9]+/ {
	plan = substr($1, 4) + 0
	if ($0 ~ /# *[Ss][Kk][Ii][Pp]/)
		whole_skip = reason_of($0)
}

/^ *(not )?ok / {
	result($0)
}

/^Bail out!/ {
	bailed = $0
}

function reason_of(text)
{
	sub(/.*# *[Ss][Kk][Ii][Pp] */, "", text)
	return text == "" ? "no reason given" : text
}

# A line that sums up a subtest before it counts only if it alone says what went wrong.
# unclaimed[depth] results wait for such a line; lost[depth] are names of failed ones.
function result(text,	depth, is_ok, label, below, names, name_of, count, d, i)
{
	match(text, /^ */)
	depth = RLENGTH
	is_ok = text ~ /^ *ok /
	label = text
	sub(/^ *(not )?ok +[0-9]* *(- )?/, "", label)
	for (d in unclaimed) {
		if (d + 0 <= depth)
			continue
		below += unclaimed[d]
		names = names lost[d]
		delete unclaimed[d]
		delete lost[d]
	}
	if (!is_ok && names == "")
		failed++
	else if (!below && label ~ /# *[Ss][Kk][Ii][Pp]/)
		skipped++
	else if (is_ok && !below)
		passed++
	unclaimed[depth]++
	if (names == "" && !is_ok)
		lost[depth] = lost[depth] label "\n"
	count = split(names, name_of, "\n")
	for (i = 1; i < count; i++)
		lost[depth] = lost[depth] label ": " name_of[i] "\n"
	if (!depth)
		results++
}

function note(text)
{
	print name ": " text >> failed_list
}

# What is wrong with the program beside its cases, or "".
function trouble()
{
	if (status == 137)
		return "killed, or still running after " limit " s"
	if (status > 128)
		return "killed by signal " status - 128
	if (bailed != "")
		return bailed
	if (whole_skip != "")
		return status == 0 || status == 4 ? "" : "exit status " status
	if (plan < 0 && results == 0)
		return status == 4 ? "" : "no results, exit status " status
	if (plan < 0)
		return "no plan"
	if (plan != results)
		return "planned " plan ", gave " results " results"
	if (plan == 0)
		return "ran nothing"
	if (failed == 0 && status != 0 && !(status == 4 && skipped > 0))
		return "exit status " status " although no case failed"
	return ""
}

# What the shell's times says, user and system as 1m2.34s, in whole seconds.
function seconds(text,	part, count, i, sum)
{
	count = split(text, part, /[ms ]+/)
	for (i = 1; i + 1 <= count; i += 2)
		sum += part[i] * 60 + part[i + 1]
	return int(sum + 0.5)
}

function show(	i, is_ktap)
{
	for (i = 1; i <= lines; i++) {
		is_ktap = line[i] ~ /^ *((not )?ok |1\.\.[0-9]|K?TAP version|Bail out!)/
		if (is_ktap || line[i] ~ /^ *#/)
			text = "  " line[i]
		else
			text = "  # " line[i]
		if (is_ktap || verbose || failed)
			print text
	}
}

END {
	wrong = trouble()
	for (d in lost) {
		count = split(lost[d], name_of, "\n")
		for (i = 1; i < count; i++)
			note(name_of[i])
	}
	if (wrong != "") {
		failed++
		note(wrong)
	}
	if (wrong == "" && passed + failed + skipped == 0) {
		skipped = 1
		if (whole_skip == "")
			whole_skip = lines ? line[lines] : "no reason given"
	}
	show()
	if (wrong != "")
		print "  # " wrong
	if (took >= 10)
		print "  # took " took " s, " seconds(processor) " s of processor"
	printf "%s %d %s%s\n", failed ? "not ok" : "ok", n, name,
		whole_skip != "" && !failed ? " # SKIP " whole_skip : ""
	print passed, failed, skipped >> counts
}
