"""Fictional people of a fictional town, always the same ones."""

import itertools
import random

FAMILY = """佐藤サトウ 鈴木スズキ 高橋タカハシ 田中タナカ 伊藤イトウ 渡辺ワタナベ 山本ヤマモト 中村ナカムラ 小林コバヤシ 加藤カトウ
吉田ヨシダ 山田ヤマダ 佐々木ササキ 山口ヤマグチ 松本マツモト 井上イノウエ 木村キムラ 林ハヤシ 斎藤サイトウ 清水シミズ
山崎ヤマザキ 森モリ 池田イケダ 橋本ハシモト 阿部アベ 石川イシカワ 山下ヤマシタ 中島ナカジマ 石井イシイ 小川オガワ
前田マエダ 岡田オカダ 長谷川ハセガワ 藤田フジタ 後藤ゴトウ 近藤コンドウ 村上ムラカミ 遠藤エンドウ 青木アオキ 坂本サカモト
福田フクダ 太田オオタ 西村ニシムラ 藤井フジイ 金子カネコ 岡本オカモト 藤原フジワラ 三浦ミウラ 中野ナカノ 原田ハラダ
松田マツダ 竹内タケウチ 小野オノ 田村タムラ 中山ナカヤマ 和田ワダ 石田イシダ 森田モリタ 上田ウエダ 原ハラ""".split()

GIVEN = """蒼アオイ 凪ナギ 陽葵ヒマリ 律リツ 芽依メイ 湊ミナト 紬ツムギ 蓮レン 凛リン 颯真ソウマ
結菜ユイナ 樹イツキ 咲良サクラ 朝陽アサヒ 澪ミオ 悠真ユウマ 心春コハル 碧アオ 莉子リコ 大和ヤマト
花ハナ 陸リク 美月ミヅキ 新アラタ 杏アン 晴ハル 彩葉イロハ 奏カナデ 琴音コトネ 岳ガク
楓カエデ 健太ケンタ 千尋チヒロ 翔太ショウタ 詩ウタ 直樹ナオキ 真央マオ 航ワタル 優奈ユウナ 拓海タクミ
ひなたヒナタ さくらサクラ つばさツバサ みのりミノリ ひかるヒカル""".split()

SCHOOLS = (('ひばり野東小学校', 'higashi'), ('ひばり野西小学校', 'nishi'))
CLASSES = (('3年1組', 'P3'), ('3年2組', 'P3'), ('4年1組', 'P4'))
PUPILS_PER_CLASS = 35
TEACHERS_PER_CLASS = 2


def split_reading(word):
    """'佐藤サトウ' -> ('佐藤', 'サトウ'): the reading is the tail of katakana."""
    at = len(word)
    while at and 'ァ' <= word[at - 1] <= 'ー':
        at -= 1
    return word[:at], word[at:]


def names():
    """Pairs of (family, given), each with its reading, without repetition."""
    pairs = list(itertools.product(map(split_reading, FAMILY), map(split_reading, GIVEN)))
    random.Random(2026).shuffle(pairs)
    return iter(pairs)


def person(pair, username, role, school, class_title, grade):
    (family, family_kana), (given, given_kana) = pair
    return {'username': username, 'role': role, 'familyName': family, 'givenName': given,
            'kanaFamilyName': family_kana, 'kanaGivenName': given_kana, 'school': school, 'class': class_title,
            'grade': grade}


def everybody():
    """12 teachers and 210 pupils of 2 schools with 3 classes each."""
    pairs, people = names(), []
    for (school, code), (class_index, (title, grade)) in itertools.product(SCHOOLS, enumerate(CLASSES, 1)):
        for i in range(1, TEACHERS_PER_CLASS + 1):
            people.append(person(next(pairs), f'{code}-t{class_index}{i}', 'instructor', school, title, ''))
        for i in range(1, PUPILS_PER_CLASS + 1):
            people.append(person(next(pairs), f'{code}{class_index}{i:02}', 'student', school, title, grade))
    return people
