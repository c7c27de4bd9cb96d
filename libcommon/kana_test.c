/* Readings that sound the same are the same, however they were typed. */
#include "libcommon/kana.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct arena *arena;

static int set_up(void **state)
{
	arena = arena_new();
	return 0;
}

static int tear_down(void **state)
{
	arena_free(arena);
	return 0;
}

static void each_reading_has_its_key(void **state)
{
	static const struct {
		const char *text, *key;
	} cases[] = {
		{ "", "" },
		{ "さとう たろう", "さとう たろう" },
		{ "サトウ　タロウ", "さとう たろう" },
		{ "ｻﾄｳ ﾀﾛｳ", "さとう たろう" },
		{ "ｶﾞｷﾞｸﾞｹﾞｺﾞ", "がぎぐげご" },
		{ "か\u3099", "が" },
		{ "は\u309aひ\u3099", "ぱび" },
		{ "ﾊﾟﾋﾟﾌﾟﾍﾟﾎﾟ", "ぱぴぷぺぽ" },
		{ "ﾂﾞﾃﾞﾄﾞ", "づでど" },
		{ "ヴ", "ゔ" },
		{ "ｳﾞ", "ゔ" },
		{ "ヶヵ", "ゖゕ" },
		{ "ローマ", "ろーま" },
		{ "ﾛｰﾏ", "ろーま" },
		{ "ワ\u3099", "ヷ" },
		{ "ヷ", "ヷ" },
		{ "あ\u3099", "あ\u3099" },
		{ "っ\u3099", "っ\u3099" },
		{ "ＡＢＣ１２３", "ABC123" },
		{ "Émile", "Émile" },
		{ "𠮷", "𠮷" },
		{ "あ\xff"
		  "い",
			"あ" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_string_equal(kana_key(arena, cases[i].text), cases[i].key);
}

static void hiragana_and_katakana_are_the_same(void **state)
{
	/* In UTF-8 both blocks are three bytes a letter. */
	for (unsigned code = 0x3041; code <= 0x3096; code++) {
		unsigned other = code + 0x60;
		const char hiragana[] = { (char)0xe3, (char)(0x80 | (code >> 6 & 0x3f)),
			(char)(0x80 | (code & 0x3f)), '\0' };
		const char katakana[] = { (char)0xe3, (char)(0x80 | (other >> 6 & 0x3f)),
			(char)(0x80 | (other & 0x3f)), '\0' };
		assert_string_equal(kana_key(arena, katakana), hiragana);
	}
}

static void half_width_is_full_width(void **state)
{
	assert_string_equal(
		kana_key(arena, "｡｢｣､･ｦｧｨｩｪｫｬｭｮｯｰｱｲｳｴｵｶｷｸｹｺｻｼｽｾｿﾀﾁﾂﾃﾄﾅﾆﾇﾈﾉﾊﾋﾌﾍﾎﾏﾐﾑﾒﾓﾔﾕﾖﾗﾘﾙﾚﾛﾜﾝ"),
		kana_key(arena,
			"。「」、・ヲァィゥェォャュョッーアイウエオカキクケコサシスセソタチツテトナ"
			"ニヌネノハヒフヘホマミムメモヤユヨラリルレロワン"));
}

static void the_order_is_the_schools(void **state)
{
	static const char *const sorted[] = { "あおき けん", "アオキ ﾚﾝ", "かとう", "がとう",
		"はら", "ヤマダ はなこ", "わだ" };
	for (size_t i = 1; i < sizeof(sorted) / sizeof(*sorted); i++)
		assert_true(strcmp(kana_key(arena, sorted[i - 1]), kana_key(arena, sorted[i])) < 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_reading_has_its_key),
		cmocka_unit_test(hiragana_and_katakana_are_the_same),
		cmocka_unit_test(half_width_is_full_width),
		cmocka_unit_test(the_order_is_the_schools),
	};
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
