#!/usr/bin/env bash
# Measures in a real AWS account what no emulator can show about policies of tables. See docs/real-account.md.
#
# It has only been tried against a stand-in for the AWS command line, never against AWS itself. Read it before you run it.
# It makes one table and one role of its own, named below, and takes both away when it ends, however it ends.
set -euo pipefail

NAME="${NAME:-encrypt-migrate-probe-$(date +%s)}"
CALLERS="${CALLERS:-8}"
PATIENCE="${PATIENCE:-180}" # seconds to wait for a change of policy
PAUSE="${PAUSE:-16}"        # seconds between two changes of policy

if [[ "${1:-}" != "--yes" ]]; then
    echo "Would make the table and the role $NAME, change the table's policy some ten times, probe it with $CALLERS callers at once,"
    echo "and take both away again. Takes about ten minutes and costs a few cents. Run it with --yes to do so."
    exit 0
fi

WORK="$(mktemp -d)"
ACCOUNT="$(aws sts get-caller-identity --query Account --output text)"
USER_ARN="$(aws sts get-caller-identity --query Arn --output text)"
TABLE_ARN="" # known when there is a table

clean_up() {
    aws dynamodb delete-table --table-name "$NAME" >"$WORK/gone" 2>&1 || echo "LEFT BEHIND: table $NAME"
    aws iam delete-role-policy --role-name "$NAME" --policy-name write >"$WORK/gone" 2>&1 || true
    aws iam delete-role --role-name "$NAME" >"$WORK/gone" 2>&1 || echo "LEFT BEHIND: role $NAME"
    rm -rf "$WORK"
}
trap clean_up EXIT

say() { printf '%-78s %s\n' "$1" "$2"; }

# A policy that denies deletes to everybody; the Sid makes documents differ. $2: a further condition, JSON.
deny() {
    local condition="${2:-}"
    echo "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Sid\":\"$1\",\"Effect\":\"Deny\",\"Principal\":\"*\",\"Action\":[\"dynamodb:DeleteItem\"],\"Resource\":\"$TABLE_ARN\"${condition:+,\"Condition\":$condition}}]}"
}

# One that denies nothing that anybody does here.
harmless() {
    echo "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Sid\":\"$1\",\"Effect\":\"Deny\",\"Principal\":\"*\",\"Action\":[\"dynamodb:CreateBackup\"],\"Resource\":\"$TABLE_ARN\"}]}"
}

put() { # policy [revision] -> the new revision
    aws dynamodb put-resource-policy --resource-arn "$TABLE_ARN" --policy "$1" ${2:+--expected-revision-id "$2"} \
        --query RevisionId --output text
}

# allowed, refused or unsure: a delete whose condition can never hold.
probe() {
    local answer
    answer="$(aws dynamodb delete-item --table-name "$NAME" --key '{"id":{"S":"nobody"}}' \
        --condition-expression 'attribute_exists(id) AND attribute_not_exists(id)' 2>&1)" || true
    case "$answer" in
        *ConditionalCheckFailed*) echo allowed ;;
        *AccessDenied*) echo refused ;;
        *) echo unsure ;;
    esac
}

# Probes again and again until PATIENCE is over, and writes "second answer" lines.
watch_as() {
    local began=$SECONDS
    while ((SECONDS - began < PATIENCE)); do
        echo "$((SECONDS - began)) $(probe)"
        [[ -e "$WORK/enough" ]] && break
    done >"$WORK/caller-$1"
}

# Until all callers have given the wanted answer five times in a row; tells the first and the last to see it, and flickers.
spread() {
    local what="$1" wanted="$2" number
    rm -f "$WORK"/enough "$WORK"/caller-*
    for number in $(seq "$CALLERS"); do watch_as "$number" & done
    local began=$SECONDS
    while ((SECONDS - began < PATIENCE)); do
        sleep 1
        local agreed=0
        for number in $(seq "$CALLERS"); do
            [[ "$(tail -n 5 "$WORK/caller-$number" 2>/dev/null | grep -c " $wanted$" || true)" == 5 ]] && agreed=$((agreed + 1))
        done
        ((agreed == CALLERS)) && break
    done
    touch "$WORK/enough"
    wait
    local firsts lasts flickers
    firsts="$(for number in $(seq "$CALLERS"); do grep -m1 " $wanted$" "$WORK/caller-$number" | cut -d' ' -f1 || true; done | sort -n)"
    lasts="$(for number in $(seq "$CALLERS"); do grep -v " $wanted$" "$WORK/caller-$number" | tail -n1 | cut -d' ' -f1 || true; done | sort -n | tail -n1)"
    flickers="$(for number in $(seq "$CALLERS"); do
        awk -v wanted="$wanted" '$2 == wanted {seen = 1} seen && $2 != wanted && $2 != "unsure" {n++} END {print n + 0}' "$WORK/caller-$number"
    done | awk '{n += $1} END {print n + 0}')"
    say "$what: first and last caller to see it first (s)" "$(head -n1 <<<"$firsts") .. $(tail -n1 <<<"$firsts")"
    say "$what: last probe that saw it otherwise (s); of these after it was seen" "${lasts:-none}; $flickers"
}

echo "Account $ACCOUNT, caller $USER_ARN, table and role $NAME"
aws dynamodb create-table --table-name "$NAME" --billing-mode PAY_PER_REQUEST \
    --attribute-definitions AttributeName=id,AttributeType=S --key-schema AttributeName=id,KeyType=HASH >"$WORK/table"
aws iam create-role --role-name "$NAME" --assume-role-policy-document \
    "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"arn:aws:iam::$ACCOUNT:root\"},\"Action\":\"sts:AssumeRole\"}]}" >"$WORK/role"
aws dynamodb wait table-exists --table-name "$NAME"
TABLE_ARN="$(aws dynamodb describe-table --table-name "$NAME" --query Table.TableArn --output text)"
aws iam put-role-policy --role-name "$NAME" --policy-name write --policy-document \
    "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"dynamodb:DeleteItem\",\"Resource\":\"$TABLE_ARN\"}]}"
say "a probe without any policy (expected: allowed)" "$(probe)"

first="$(put "$(deny Sealed1)")"
spread "a Deny" refused

sleep "$PAUSE"
second="$(put "$(harmless Open2)")"
if again="$(put "$(deny Sealed3)" 2>&1)"; then
    say "a second change at once (expected: refused)" "accepted"
    second="$again"
else
    say "a second change at once (expected: refused)" "$(grep -o '([A-Za-z]*Exception)' <<<"$again" || echo "$again")"
fi
shown="$(aws dynamodb get-resource-policy --resource-arn "$TABLE_ARN" --query RevisionId --output text 2>&1 || true)"
say "reading it back at once shows the newest" "$([[ "$shown" == "$second" ]] && echo yes || echo no)"
spread "taking it away" allowed

sleep "$PAUSE"
same="$(put "$(harmless Open2)")"
say "the same document again has the same revision (expected: yes)" "$([[ "$same" == "$second" ]] && echo yes || echo no)"
sleep "$PAUSE"
back="$(put "$(deny Sealed1)")"
say "a document that was there before has its old revision back" "$([[ "$back" == "$first" ]] && echo yes || echo no)"
sleep "$PAUSE"
if old="$(put "$(harmless Open4)" "$second-old" 2>&1)"; then
    say "a put that expects another revision (expected: refused)" "accepted"
else
    say "a put that expects another revision (expected: refused)" "$(grep -o '([A-Za-z]*Exception)' <<<"$old" || echo "$old")"
fi

sleep "$PAUSE"
put "$(deny Fenced5 '{"StringNotLike":{"aws:userid":"*:turn-5"}}')" >"$WORK/fence"
sleep "$PATIENCE"
for session in turn-5 turn-6; do
    read -r key secret token < <(aws sts assume-role --role-arn "arn:aws:iam::$ACCOUNT:role/$NAME" --role-session-name "$session" \
        --query 'Credentials.[AccessKeyId,SecretAccessKey,SessionToken]' --output text)
    seen="$(AWS_ACCESS_KEY_ID="$key" AWS_SECRET_ACCESS_KEY="$secret" AWS_SESSION_TOKEN="$token" probe)"
    say "a fence for session turn-5, asked by $session (expected: $([[ $session == turn-5 ]] && echo allowed || echo refused))" "$seen"
done
