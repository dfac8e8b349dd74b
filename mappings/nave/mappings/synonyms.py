"""What systems call the fields of canonical records: English, Chinese, and Chinese written in pinyin."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_COMMON = {
    "code": "code id no bm code_no 编码 编号 代码 bianma bianhao daima",
    "name": "name mc title fname full_name 名称 全称 姓名 mingcheng quancheng xingming",
    "short_name": "short shortname short_name abbr 简称 jiancheng",
    "tax_id": "tax tax_no taxno tax_id taxpayerid uscc vat_no credit_code 税号 纳税人识别号 统一社会信用代码 shuihao",
    "status": "status state seal enabled fforbidstatus 状态 封存 zhuangtai",
    "region": "region area area_code 地区 区域 行政区划 diqu quyu",
    "phone": "phone tel mobile telephone 电话 手机 联系电话 dianhua shouji",
    "email": "email mail e_mail 邮箱 邮件 youxiang",
    "remark": "remark memo note comment 备注 beizhu",
    "currency": "currency cur ccy 币种 bizhong",
    "unit": "unit uom meins 单位 计量单位 danwei jiliangdanwei",
    "changed": "updated_at updatedat changed changed_at modified modify_date modifytime last_update ts 修改时间 更新时间 "
    "xiugaishijian gengxinshijian",
}

_OWN = {
    "customer": {
        "code": "cust_code custcode ccuscode customer_code 客户编码 客户代码 客户编号 kehubianma kehudaima",
        "name": "cust_name custname ccusname customer_name 客户名称 kehumingcheng",
        "short_name": "ccusabbname 客户简称 kehujiancheng",
        "credit": "credit credit_limit 信用额度 授信额度 xinyongedu",
        "salesperson": "salesman salesperson sales 业务员 销售员 yewuyuan xiaoshouyuan",
        "grade": "grade level 等级 级别 dengji",
        "kind": "kind type 类型 leixing",
        "payment_terms": "payment_terms terms 付款条件 fukuantiaojian",
    },
    "product": {
        "code": "matnr material item_code 物料编码 物料号 产品编码 存货编码 wuliaobianma cunhuobianma",
        "name": "maktx item_name 物料名称 产品名称 存货名称 品名 wuliaomingcheng pinming",
        "specification": "spec specification model 规格 规格型号 guige guigexinghao",
        "drawing_no": "drawing drawing_no dwg 图号 tuhao",
        "revision": "rev revision version 版本 版次 banben",
        "unit": "unit uom meins 单位 计量单位 danwei jiliangdanwei",
        "material": "material 材质 材料 caizhi",
        "gtin": "gtin ean ean11 barcode 条码 条形码 tiaoma",
        "price": "price 单价 价格 danjia jiage",
        "category": "category class 分类 类别 fenlei",
        "weight": "weight ntgew 重量 净重 zhongliang",
    },
    "attendance": {
        "at": "time at punch_time check_time 时间 打卡时间 考勤时间 shijian dakashijian",
        "employee": "pin employee emp_no user_id 工号 人员编号 员工编号 gonghao",
        "device": "device sn 设备 设备号 shebei shebeihao",
    },
    "order": {
        "number": "no number order_no orderno so_no bill_no 订单号 单号 订单编号 dingdanhao danhao",
        "customer": "customer cust cust_code cust_no customer_code ccuscode buyer 客户 客户编码 kehu kehubianma",
        "date": "date day ddate order_date bill_date 日期 订单日期 单据日期 riqi dingdanriqi",
        "total": "total amount 合计 总金额 金额 heji zongjine jine",
        "salesperson": "salesman salesperson 业务员 yewuyuan",
    },
    "employee": {
        "code": "emp_no employee_no work_no 工号 员工编号 gonghao",
        "name": "emp_name 员工姓名 yuangongxingming",
        "department": "dept department 部门 bumen",
        "hired": "hire_date entry_date 入职日期 ruzhiriqi",
    },
    "invoice": {
        "number": "no number invoice_no invoicenumber 发票号码 发票号 fapiaohaoma",
        "date": "date day invoice_date issuetime 开票日期 kaipiaoriqi",
        "customer": "customer cust cust_code customer_code buyer 客户 客户编码 购方 kehu goufang",
        "order": "order order_no so_no 订单号 dingdanhao",
        "total": "total amount gross 价税合计 金额 jiashuiheji jine",
        "net": "net 不含税金额 buhanshuijine",
        "tax": "tax tax_amount 税额 shuie",
    },
    "payment": {
        "number": "no number receipt_no payment_no bill_no 回款单号 收款单号 单号 shoukuandanhao danhao",
        "date": "date day pay_date receipt_date bill_date 日期 回款日期 收款日期 riqi huikuanriqi shoukuanriqi",
        "customer": "customer cust cust_code customer_code payer 客户 客户编码 付款方 kehu kehubianma",
        "invoice": "invoice invoice_no 发票号 发票号码 fapiaohao",
        "order": "order order_no so_no 订单号 dingdanhao",
        "amount": "amount total money 金额 回款金额 收款金额 jine huikuanjine",
        "method": "method settlement 结算方式 付款方式 jiesuanfangshi",
    },
    "shipment": {
        "number": "no number delivery_no shipment_no bill_no 发货单号 出库单号 单号 fahuodanhao danhao",
        "date": "date day ship_date delivery_date 日期 发货日期 riqi fahuoriqi",
        "customer": "customer cust cust_code customer_code 客户 客户编码 收货方 kehu kehubianma",
        "order": "order order_no so_no 订单号 dingdanhao",
        "carrier": "carrier forwarder 承运商 物流公司 chengyunshang",
        "tracking": "tracking tracking_no waybill 运单号 物流单号 yundanhao",
    },
    "stock_movement": {
        "number": "no number bill_no doc_no 单号 单据号 入库单号 danhao rukudanhao",
        "product": "product item item_code material matnr 物料 物料编码 存货编码 产品编码 wuliao wuliaobianma",
        "quantity": "qty quantity 数量 shuliang",
        "warehouse": "warehouse wh stock store 仓库 仓库编码 cangku",
        "lot": "lot batch batch_no 批号 批次 pihao",
        "kind": "kind type direction 类型 出入库类型 leixing",
        "at": "at time date day 时间 日期 入库日期 shijian riqi rukuriqi",
    },
    "sold_product": {
        "serial": "serial serial_no sn serno 序列号 出厂编号 机身号 xuliehao chuchangbianhao",
        "product": "product item item_code material 产品 产品编码 物料编码 chanpin chanpinbianma",
        "customer": "customer cust cust_code customer_code 客户 客户编码 kehu kehubianma",
        "sold": "sold sold_at sale_date date 售出日期 销售日期 shouchuriqi xiaoshouriqi",
        "warranty_until": "warranty warranty_until warranty_end 保修期至 质保到期 baoxiuqizhi",
    },
}


def _turned(words: Mapping[str, str]) -> Mapping[str, str]:
    return MappingProxyType({word: name for name, listed in words.items() for word in listed.split()})


SYNONYMS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {"": _turned(_COMMON), **{entity: _turned(words) for entity, words in _OWN.items()}}
)
"""Entity (empty: any) -> what a source calls it -> what it is called here."""
