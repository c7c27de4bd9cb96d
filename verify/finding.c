/* What can be found, in words. */
#include <stdio.h>

#include "verify/verify.h"

/* Exit statuses: it holds; it was tampered with; (2 is usage;) it could not be checked. */
enum { EXIT_HOLDS = 0, EXIT_TAMPERED = 1, EXIT_UNCHECKED = 3 };

static const struct {
	const char *word;
	int status;
	const char *ja, *en;
} table[FINDINGS] = {
	[GOOD] = { "GOOD", EXIT_HOLDS, "正しく署名され、改ざんはありません。",
		"Signed and unchanged." },
	[UNSIGNED] = { "UNSIGNED", EXIT_TAMPERED,
		"指定された鍵の署名がないか、署名が正しくありません。",
		"The signature of the given key is missing or wrong." },
	[OTHER_LOG] = { "OTHER-LOG", EXIT_TAMPERED, "別のログのチェックポイントです。",
		"These are checkpoints of different logs." },
	[UNWITNESSED] = { "UNWITNESSED", EXIT_TAMPERED,
		"指定された立会人の署名がないか、正しくありません。",
		"The signature of the given witness is missing or wrong." },
	[NOT_IN_LOG] = { "NOT-IN-LOG", EXIT_TAMPERED,
		"この記録は、署名されたログのその場所にありません。",
		"The signed log does not have this event at this place." },
	[CHANGED] = { "CHANGED", EXIT_TAMPERED,
		"記録またはファイルが、署名されたときから書き換えられています。",
		"A line or file differs from what was signed." },
	[DROPPED] = { "DROPPED", EXIT_TAMPERED, "途中の記録またはファイルが抜けています。",
		"Lines or files are missing in the middle." },
	[REORDERED] = { "REORDERED", EXIT_TAMPERED,
		"記録またはファイルの順序が入れ替わっているか、同じものが重なっています。",
		"Lines or files stand in another order, or twice." },
	[TRUNCATED] = { "TRUNCATED", EXIT_TAMPERED, "終わりの記録またはファイルが欠けています。",
		"Lines or files are missing at the end." },
	[SURPLUS] = { "SURPLUS", EXIT_TAMPERED,
		"証明の範囲にない記録またはファイルが加えられています。",
		"There are lines or files that the proof does not cover." },
	[FORKED] = { "FORKED", EXIT_TAMPERED,
		"以前のチェックポイントより前の記録が書き換えられています。",
		"History was rewritten: the earlier checkpoint is not its beginning." },
	[ROLLED_BACK] = { "ROLLED-BACK", EXIT_TAMPERED,
		"以前のチェックポイントより記録が少なくなっています。",
		"The log is shorter than it was at the earlier checkpoint." },
	[MALFORMED] = { "MALFORMED", EXIT_UNCHECKED, "ファイルの形式が正しくありません。",
		"A file is not of the form that it should have." },
	[UNREADABLE] = { "UNREADABLE", EXIT_UNCHECKED, "ファイルを読めません。",
		"A file cannot be read." },
};

int finding_say(enum finding finding, const char *detail)
{
	printf("%s: %s\n%s\n", table[finding].word, detail, table[finding].ja);
	printf("%s\n", table[finding].en);
	return table[finding].status;
}

void finding_list(void)
{
	for (enum finding i = GOOD; i < FINDINGS; i++)
		printf("  %d  %-12s%s\n", table[i].status, table[i].word, table[i].en);
}
